"""A clerk who orders finds a new employee by a whole id from the HSA directory, inside the own organisations (ADR 0196)."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.authz import Actor, Role
from issuance.people.models.persons import Person, PersonIdentifier
from issuance.records.domain.ids import PersonId
from issuance.records.models.events import Event
from issuance.search.models import Search
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_role_adding import ASKED, newcomer
from tests.issuance.world import person_number
from tests.portal import portal_client

ASKED_BY_HSA_ID = ["posts", *ASKED]


def client_of(actor: Actor) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


def look(client: Client, text: str, **fields: str) -> Any:
    return client.post(reverse("search"), {"text": text, **fields}, follow=True)


def hsa_id_of(world: Any, person_id: PersonId) -> str:
    return next(hsa_id for hsa_id, post in world.outside.posts.items() if post.person.value == person_id.value)


@pytest.mark.parametrize("by_hsa_id", [False, True])
def test_a_new_employee_is_found_and_can_have_a_card_ordered(world: Any, by_hsa_id: bool) -> None:
    person_id, clerk = newcomer(world, world.region, world.city), world.officer()
    page = look(client_of(clerk), hsa_id_of(world, person_id) if by_hsa_id else person_id.value)
    person = PersonIdentifier.objects.get(value=person_id.value).person
    assert page.request["PATH_INFO"] == reverse("person", args=[person.pk])
    assert f'action="{reverse("order_start", args=[person.pk])}"' in page.content.decode()
    assert {post.organisation for post in person.posts.all()} == {world.region}  # no post of an organisation out of reach
    row = Search.objects.get()
    assert (row.hits, row.person) == (1, person)
    shown = Event.objects.filter(action="search.made").latest("id")
    assert (shown.actor_ref, shown.facts["persons"], shown.facts["catalogue"]) == (clerk.ref, [str(person.pk)], True)
    registered = Event.objects.get(action="person.registered", subject_ref=str(person.pk))
    assert registered.actor_ref == "system:register-reading"


def test_whoever_orders_nothing_asks_nobody(world: Any) -> None:
    person_id = newcomer(world, world.region)
    for role in (Role.READER, Role.REVOKER):
        client = client_of(world.officer(role=role))
        world.outside.calls.clear()
        for text in (person_id.value, hsa_id_of(world, person_id)):
            assert "inom din behörighet har" in text_of(look(client, text))
        assert world.outside.calls == []


def test_parts_names_serials_and_extended_searches_ask_nobody(world: Any) -> None:
    person_id, client = newcomer(world, world.region), client_of(world.officer())
    world.outside.calls.clear()
    for fields in (
        {"text": hsa_id_of(world, person_id)[-6:]},
        {"text": "9876654132532143214"},
        {"text": "", "name": "Nilsson"},
        {"text": person_id.value, "extended": "on", "reason": "Innehavaren har ringt"},
    ):
        assert "Kontrollera" in text_of(look(client, **fields))
    assert world.outside.calls == []
    assert not PersonIdentifier.objects.filter(value=person_id.value).exists()


def test_a_protected_person_is_told_from_nobody_by_nothing(world: Any, held: list[float]) -> None:
    """Nor by what the outside and the database are asked, nor by the time of the answer, nor by the budget."""
    hidden, elsewhere = newcomer(world, world.region, protected=True), newcomer(world, world.stranger)
    client = client_of(world.officer())
    look(client, person_number().value)
    for texts, asked in (
        ([hidden.value, person_number().value, elsewhere.value], ASKED),
        ([hsa_id_of(world, hidden), "TST2321000131-INGEN", hsa_id_of(world, elsewhere)], ASKED_BY_HSA_ID),
    ):
        seen = set()
        for text in texts:
            world.outside.calls.clear()
            held.clear()
            before = Search.objects.count()
            with CaptureQueriesContext(connection) as queries:
                page = look(client, text)
            assert world.outside.calls == asked
            body = re.sub(r"[0-9a-f-]{36}|value=\"[^\"]*\"|\S+(?=</h2>)", "", page.content.decode())
            seen.add((page.status_code, body, len(queries), Search.objects.count() - before, len(held)))
        assert len(seen) == 1
        assert "Portalen frågade också HSA-katalogen" in text_of(page)
    assert not PersonIdentifier.objects.filter(value=hidden.value).exists()
    assert "Nilsson" in text_of(look(client_of(world.officer(protected=True)), hidden.value))


def test_a_directory_that_does_not_answer_is_told_and_costs_one_search(world: Any) -> None:
    person_id, client = newcomer(world, world.region), client_of(world.officer())
    world.outside.down = True
    page = look(client, person_id.value)
    assert (page.status_code, "HSA-katalogen eller personregistret svarar inte just nu" in text_of(page)) == (503, True)
    assert person_id.value in page.content.decode()  # what was typed is still there
    assert Search.objects.count() == 1


def test_misses_are_watched_and_the_budget_holds(world: Any, settings: Any) -> None:
    settings.SEARCHES_PER_HOUR, settings.SEARCH_MISSES_SUSPECT = 3, 3
    client = client_of(world.officer())
    for _ in range(3):
        look(client, person_number().value)
    world.outside.calls.clear()
    assert look(client, newcomer(world, world.region).value).status_code == 429
    assert world.outside.calls == []
    assert Event.objects.filter(facts__has_key="misses").count() == 1
