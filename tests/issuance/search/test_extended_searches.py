"""An area's extended searches with their reasons, listed for its responsible issuer."""

import csv
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser

from issuance.authz import Actor, Role
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment
from issuance.roles.services.actors import actor_of_person
from issuance.search.services import searching
from issuance.search.web.extended_searches import ExtendedSearchList
from siths_portal.lib import clock
from tests.browser import look
from tests.issuance.person_page.test_browser import logged_in
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_pages import rows_of
from tests.issuance.search.test_holders import client_of, issuer_of
from tests.issuance.world import SETUP


def search(actor: Actor, reason: str, text: str = "18900101-9802") -> None:
    searching.search(actor=actor, session_id=actor.person_id, text=text, extended=True, reason=reason)  # type: ignore[arg-type]


def page(world: Any, client: Client, **chosen: object) -> Any:
    return client.get(reverse("area_extended_searches", args=[world.area.id]), chosen)


def reasons(answer: Any) -> list[str]:
    return [row[3] for row in rows_of(answer)]


def test_s15_who_by_what_and_why_newest_first(world: Any, django_assert_max_num_queries: Any) -> None:
    person = world.post(world.stranger, surname="Främling").person
    search(world.officer(), "Ringde och ville spärra", person.identifiers.get().value)
    search(world.officer(world.clinic), "Kom utan kort", "1024")
    searching.search(actor=world.officer(), session_id=world.officer().person_id, text="1024")
    client = client_of(issuer_of(world))
    with django_assert_max_num_queries(15):
        answer = page(world, client)
    clinic, region = rows_of(answer)
    assert clinic[2:] == ["Slutet av ett tjänste-id", "Kom utan kort"]
    assert region[2:] == ["Person-id", "Ringde och ville spärra"]
    assert region[1].startswith("Handläggare Provsson TST2321000131-")
    body = answer.content.decode()
    assert "Främling" not in body
    assert str(person.id) not in body
    assert person.identifiers.get().value not in body


def test_of_ones_own_area_alone(world: Any) -> None:
    search(world.officer(world.stranger), "Annan region")
    search(world.officer(world.city), "Staden")
    search(world.officer(role=Role.GLOBAL_REVOKER), "Spärrtjänsten")
    assert reasons(page(world, client_of(issuer_of(world)))) == ["Staden"]


def test_also_of_those_whose_role_has_ended(world: Any) -> None:
    officer = world.officer()
    search(officer, "Innan rollen tog slut")
    RoleGrant.objects.filter(person_id=officer.person_id).update(valid_to=clock.now())
    assert officer.person_id
    role_assignment.assign_role(actor=SETUP, person_id=officer.person_id, role=Role.GLOBAL_REVOKER)
    search(actor_of_person(officer.person_id), "I nästa uppdrag")
    assert reasons(page(world, client_of(issuer_of(world)))) == ["Innan rollen tog slut"]


def test_a_protected_searcher_is_left_out_without_the_add_on(world: Any) -> None:
    secret = world.officer()
    plain, with_it = client_of(issuer_of(world)), client_of(issuer_of(world, protected=True))
    nobody = text_of(page(world, plain))
    search(secret, "Hemligt skäl")
    person = RoleGrant.objects.filter(person_id=secret.person_id)[0].person
    person.is_protected = person.protected_person_indicator = True
    person.save(update_fields=["is_protected", "protected_person_indicator"])
    assert text_of(page(world, plain)) == nobody
    assert "Ingen i området har sökt" in nobody
    assert reasons(page(world, with_it)) == ["Hemligt skäl"]


def test_s14_an_hour_that_looks_like_harvesting_stands_above(
    world: Any, settings: Any, django_assert_max_num_queries: Any
) -> None:
    settings.SEARCH_MISSES_SUSPECT, settings.SEARCH_SHOWN_SUSPECT = 2, 2
    world.post(surname="Alm")
    secret = world.officer(world.clinic)
    for actor in (world.officer(), secret, world.officer(world.stranger)):
        for name in ("Finnsinte", "Ingen", "Alm", "Alm"):
            searching.search(actor=actor, session_id=actor.person_id, name=name)
    person = RoleGrant.objects.filter(person_id=secret.person_id)[0].person
    person.is_protected = person.protected_person_indicator = True
    person.save(update_fields=["is_protected", "protected_person_indicator"])
    search(world.officer(), "Ringde och ville spärra")
    client = client_of(issuer_of(world))
    with django_assert_max_num_queries(15):
        shown, misses, extended = rows_of(page(world, client))
    assert shown[2] == "Minst 2 personer visade på en timme, med delar av namn eller tjänste-id"
    assert misses[2] == "Minst 2 sökningar utan träff på en timme"
    assert extended[3] == "Ringde och ville spärra"
    assert "Handläggare Provsson TST2321000131-" in misses[1]
    assert len(rows_of(page(world, client, efter=1))) == 0
    assert len(rows_of(page(world, client_of(issuer_of(world, protected=True))))) > 3


def test_pages_by_keyset(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExtendedSearchList, "page_size", 2)
    for number in range(5):
        search(world.officer(), f"Skäl nummer {number}")
    client, found, pages = client_of(issuer_of(world)), [], 0
    address = reverse("area_extended_searches", args=[world.area.id])
    while address:
        one = client.get(address).context["list"]
        found, address, pages = [*found, *(line.reason for line in one.lines)], one.next_url, pages + 1
    assert found == [f"Skäl nummer {number}" for number in (4, 3, 2, 1, 0)]
    assert pages == 3
    assert reasons(page(world, client, efter="mitten")) == found[:2]


def test_narrowed_and_fetched_as_a_file_that_is_noted(world: Any) -> None:
    search(world.officer(), "Ringde")
    search(world.officer(), "Kom utan kort", "1024")
    issuer = issuer_of(world)
    client = client_of(issuer)
    assert reasons(page(world, client, sokte="hsa_id")) == ["Kom utan kort"]
    assert "de dagar som du valde" in text_of(page(world, client, till="2000-01-01"))
    assert page(world, client, sokte="annat").status_code == 422
    file = b"".join(page(world, client, sokte="person_id", fil="csv")).decode("utf-8-sig").splitlines()
    head, row = csv.reader(file, delimiter=";")
    assert head == ["Tid", "Vem", "Tjänste-id", "Sökte på", "Skäl"]
    assert row[3:] == ["Person-id", "Ringde"]
    event = Event.objects.get(action="history.exported")
    assert (event.actor_ref, event.subject_type, event.subject_ref) == (issuer.ref, "disclosure", str(world.area.id))
    assert event.facts == {"of": "extended_searches", "sokte": "person_id", "rows": 1}


@pytest.mark.parametrize(
    ("role", "status"), [(Role.MASTER_DATA_ADMIN, 200), (Role.GLOBAL_READER, 403), (Role.DEPUTY_ISSUER, 404), (Role.REVOKER, 404)]
)
def test_it_is_the_issuers(world: Any, role: Role, status: int) -> None:
    assert page(world, client_of(world.officer(role=role))).status_code == status


def test_in_a_browser(world: Any, settings: Any, browser: Browser, portal: str) -> None:
    with logged_in(browser, portal, issuer_of(world)) as tab:
        tab.goto(portal + reverse("area", args=[world.area.id]))
        tab.get_by_role("link", name="Utökade sökningar").focus()
        tab.keyboard.press("Enter")
        tab.wait_for_url("**/utokade-sokningar/")
        look(tab, "utokade-sokningar-inga")
        search(world.officer(), "Innehavaren ringde och ville spärra sitt kort, som är utfärdat i en annan region")
        settings.SEARCH_MISSES_SUSPECT = 2
        searching.search(actor=world.officer(), session_id=uuid.UUID(int=1), name="Ingen")
        searching.search(actor=world.officer(), session_id=uuid.UUID(int=1), name="Finnsinte")
        tab.reload()
        assert tab.get_by_text("Innehavaren ringde").count() == 1
        assert tab.get_by_text("Minst 2 sökningar utan träff på en timme").count() == 1
        look(tab, "utokade-sokningar")
