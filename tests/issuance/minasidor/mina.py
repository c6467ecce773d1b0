"""Mina sidor in the test process, and people and cards that are logged in there."""

import contextlib
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.test import Client

from authn.ports import Subject, SubjectDirectory
from authn.services import sessions
from issuance.minasidor.domain import Means
from issuance.minasidor.services.holders import Holders
from issuance.people.models.persons import Person
from issuance.roles.services.subjects import Subjects
from siths_portal.lib import clock, ports
from tests.access.faces import face

OWN = "http://testserver"


@contextlib.contextmanager
def mina_sidor(**more: Any) -> Iterator[None]:
    """This process serves Mina sidor meanwhile, at the address of Django's test client."""
    ports.connect(SubjectDirectory, Holders())
    with face("minasidor", MINASIDOR_BASE_URL=OWN, ALLOWED_HOSTS=["testserver"], **more):
        yield
    ports.connect(SubjectDirectory, Subjects())


def session_key(ref: str, means: Means, name: str = "") -> str:
    """The cookie's value of a new session of the subject."""
    accepted = sessions.LogIn(authenticated_at=clock.now(), id_token="", facts={})
    return sessions.start(Subject(ref, "", name, "", means.value), accepted)[1]


def client_of(ref: str, means: Means, name: str = "") -> Client:
    """A browser that is logged in on Mina sidor as the subject."""
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = session_key(ref, means, name)
    return client


def holder_client(person: Person, means: Means = Means.LOA3) -> Client:
    """A browser of a holder."""
    return client_of(f"holder:{person.pk}", means, f"{person.given_name_in_use} {person.surname}")


def card_client(carrier_id: object) -> Client:
    """A browser of somebody who logged in with the transport certificate of this card."""
    return client_of(f"card:{carrier_id}", Means.CARD)
