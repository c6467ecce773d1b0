"""Sessions of two sites: the same person is logged in on both, each with its limits, and a session opens its own site alone."""

import datetime as dt
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from authn.domain.principal import Subject
from authn.models import Session
from authn.services import sessions, sites
from authn.services.sessions import LogIn
from issuance.authz import holder, user
from issuance.people.models.persons import Person
from siths_portal.lib import clock
from tests.portal import portal_client

pytestmark = pytest.mark.django_db(transaction=True)


def logged_in(ref: str) -> tuple[Session, str]:
    return sessions.start(Subject(ref, "", "Prov Provsson", ""), LogIn(clock.now(), "", {}))


def test_references_of_actors_are_those_of_the_sites(clerk: Person) -> None:
    assert [sites.site_of(actor.ref).face for actor in (user(clerk.pk, ()), holder(clerk.pk))] == ["portal", "minasidor"]


def test_a_clerk_who_opens_mina_sidor_keeps_the_portals_session(clerk: Person) -> None:
    portal = portal_client(clerk)
    logged_in(f"holder:{clerk.pk}")
    assert portal.get("/sok/").status_code == 200
    assert {row.subject_ref for row in sessions.live()} == {f"user:{clerk.pk}", f"holder:{clerk.pk}"}


def test_a_session_opens_its_own_site_alone(clerk: Person) -> None:
    _session, key = logged_in(f"holder:{clerk.pk}")
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = key
    assert client.get("/sok/").status_code == 302


def test_each_site_has_its_limits(clerk: Person, settings: Any) -> None:
    settings.MINASIDOR_SESSION_IDLE_SECONDS, settings.MINASIDOR_SESSIONS_PER_SUBJECT = 60, 2
    portal_client(clerk)
    for _ in range(3):
        logged_in(f"holder:{clerk.pk}")
    assert len(sessions.own(f"holder:{clerk.pk}")) == 2
    with clock.moved_to(clock.now() + dt.timedelta(seconds=120)):
        sessions.sweep()
        assert [row.subject_ref for row in sessions.live()] == [f"user:{clerk.pk}"]
