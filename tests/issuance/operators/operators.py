"""Operators of the PKI for tests of their pages: several of one role, since nobody approves alone."""

import datetime as dt
from typing import Any

from django.test import Client

from issuance.authz import Actor, Role
from issuance.people.models.persons import Person
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from tests.issuance.world import SETUP
from tests.portal import portal_client


def operator(world: Any, name: str = "Ester", *, protected: bool = False, new: bool = False) -> Actor:
    """A person who has operated the PKI since yesterday, and so may decide what was asked for today; `new`: since now."""
    person = world.post(given_name=name, surname="Förvaltarsson").person
    role_assignment.assign_role(actor=SETUP, person_id=person.id, role=Role.PKI_OPERATOR, protected_persons=protected)
    if not new:
        RoleGrant.objects.filter(person=person).update(valid_from=clock.now() - dt.timedelta(days=1))
    return actor_of_person(person.id)


def client_of(actor: Actor) -> Client:
    """A test client that the actor has just logged in with."""
    return portal_client(Person.objects.get(pk=actor.person_id))
