"""S06 through the service: who takes a role away also ends the person's log-in, on the very next request."""

from typing import Any

import pytest
from django.test import Client

from authn.models import Event
from issuance.authz import system
from issuance.people.models.persons import Person
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment
from tests.portal import portal_client

pytestmark = pytest.mark.django_db(transaction=True)


def test_s06_an_ended_role_ends_the_session_and_the_next_request_is_403(world: Any) -> None:
    person = Person.objects.get(pk=world.officer().person_id)
    client = portal_client(person)
    assert client.get("/installningar/").status_code == 200
    role_assignment.end_role(actor=system("setup"), grant_id=RoleGrant.objects.get(person=person).pk)
    answer = client.get("/installningar/")
    assert answer.status_code == 403
    assert "Din behörighet har ändrats" in answer.content.decode()
    assert client.get("/installningar/").status_code == 302, "the cookie is gone"
    ended = Event.objects.get(action="session.ended")
    assert (ended.actor_ref, ended.facts["reason"]) == ("system:setup", "role-ended")


def test_others_stay_logged_in(world: Any) -> None:
    from issuance.authz import Role

    person = Person.objects.get(pk=world.officer().person_id)
    other: Client = portal_client(Person.objects.get(pk=world.officer(role=Role.READER).person_id))
    role_assignment.end_role(actor=system("setup"), grant_id=RoleGrant.objects.get(person=person).pk)
    assert other.get("/installningar/").status_code == 200
