"""Inloggade just nu: who may see and end the log-ins of others, and what the ended person is told."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from authn.domain.principal import Subject
from authn.models import Event, KeptForm, Session
from authn.services import kept_forms, sessions
from issuance.authz import Role
from issuance.people.models.persons import Person
from issuance.records.models.events import Event as IssuanceEvent
from issuance.roles.services import role_assignment
from siths_portal.lib import clock
from tests.issuance.world import SETUP
from tests.portal import portal_client
from tests.pressing import MAIN

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/administrera/inloggningar/"


@pytest.fixture
def clerk(world: Any) -> Person:
    return Person.objects.get(pk=world.officer().person_id)


@pytest.fixture
def administrator(world: Any) -> Person:
    person: Person = world.post().person
    role_assignment.assign_role(actor=SETUP, person_id=person.pk, role=Role.MASTER_DATA_ADMIN)
    return person


def end(client: Client, session: Any) -> Any:
    return client.post(reverse("log_ins"), {"session": str(session), **MAIN})


def live(person: Person) -> Session:
    return Session.objects.get(subject_ref=f"user:{person.pk}", ended_at=None)


def test_an_administrator_sees_who_is_logged_in_and_ends_it(clerk: Person, administrator: Person) -> None:
    there, admin = portal_client(clerk), portal_client(administrator)
    kept_forms.keep(f"user:{clerk.pk}", "/installningar/", "a=b")
    page = admin.get(PAGE).content.decode()
    assert clerk.surname in page
    assert "Den här webbläsaren" in page, "one's own has no button"
    session = live(clerk)
    assert end(admin, session.pk).status_code == 302
    session.refresh_from_db()
    assert (session.end_reason, session.data) == ("ended-by-admin", "")
    event = Event.objects.get(action="session.ended", subject_ref=str(session.pk))
    assert (event.actor_ref, event.facts["reason"]) == (f"user:{administrator.pk}", "ended-by-admin")
    assert not KeptForm.objects.exists()
    answer = there.get("/installningar/", follow=True)
    assert "SITHS-förvaltningen avslutade din inloggning" in answer.content.decode()
    shown = IssuanceEvent.objects.filter(action="work.listed", subject_ref="log_ins").latest("id")
    assert {str(clerk.pk), str(administrator.pk)} == set(shown.facts["persons"])


def test_nobody_else_may(clerk: Person, administrator: Person, world: Any) -> None:
    portal_client(administrator)
    client = portal_client(clerk)
    assert client.get(PAGE).status_code == 403
    assert end(client, live(administrator).pk).status_code == 403
    assert live(administrator)


def test_what_is_over_unknown_or_ones_own_ends_nothing(clerk: Person, administrator: Person) -> None:
    portal_client(clerk)
    admin = portal_client(administrator)
    session = live(clerk)
    sessions.end(session.pk, reason=sessions.LOGGED_OUT, actor_ref="")
    for wanted in (session.pk, "0" * 32, "x", live(administrator).pk):
        assert end(admin, wanted).status_code == 302
        assert "redan avslutad" in admin.get(PAGE).content.decode()
    assert live(administrator)


def test_protected_people_are_hidden_from_who_may_not_see_them(administrator: Person, world: Any) -> None:
    protected = world.post(protected=True, surname="Skyddsson").person
    portal_client(protected)
    admin = portal_client(administrator)
    assert "Skyddsson" not in admin.get(PAGE).content.decode()
    end(admin, live(protected).pk)
    assert live(protected)


def test_log_ins_of_mina_sidor_are_listed_and_filtered(clerk: Person, administrator: Person) -> None:
    holder = Subject(f"holder:{clerk.pk}", "", "Innehavare Innehavarsson", "")
    session, _key = sessions.start(holder, sessions.LogIn(clock.now(), "", {}))
    # A session of no person, as of a card, must not stop the list.
    Session.objects.create(
        key_hash="0" * 64, subject_ref="card:1", created_at=clock.now(), last_seen_at=clock.now(),
        expires_at=clock.now() + sessions.AT_ONCE,
    )  # fmt: skip
    admin = portal_client(administrator)
    assert "Innehavarsson" in admin.get(PAGE, {"webbplats": "mina-sidor"}).content.decode()
    assert "Innehavarsson" not in admin.get(PAGE, {"webbplats": "portalen"}).content.decode()
    end(admin, session.pk)
    session.refresh_from_db()
    assert session.end_reason == "ended-by-admin"


def test_the_list_takes_no_more_queries_for_more_people(
    administrator: Person, world: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(4):
        portal_client(world.post().person)
    admin = portal_client(administrator)
    admin.get(PAGE)
    with django_assert_max_num_queries(15):
        assert admin.get(PAGE).content.decode().count('name="session"') == 4
    assert settings.SESSION_COOKIE_NAME in admin.cookies
