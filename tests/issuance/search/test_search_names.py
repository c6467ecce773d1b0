"""Search by name: how a name is read, one's own scope alone, protected persons, the shared budget, and its index."""

import unicodedata
import uuid
from typing import Any

import pytest

from issuance.authz import Action, Actor, Role
from issuance.records.models.events import Event
from issuance.roles.models.extended_reach import ExtendedReach
from issuance.search.domain.search_names import beginnings, parse_name
from issuance.search.domain.search_terms import Term, TermError, TermKind, TermProblem
from issuance.search.models import Search
from issuance.search.services import searching
from siths_portal.lib.errors import DomainError, Invalid, TooManyRequests
from tests.issuance.search.test_searching import REASON, answer_and_queries, fill, names, number_of
from tests.issuance.search.test_searching import look as look_for

SESSION = uuid.UUID(int=1)


def look(actor: Actor, name: str, **options: Any) -> Search:
    return searching.search(actor=actor, session_id=SESSION, name=name, **options)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Ek", "ek"),
        ("  Af   KLINT ", "af klint"),
        ("Öberg ,Åsa", "öberg, åsa"),
        ("O\u0308berg", "öberg"),  # decomposed, as some clipboards have it
        ("O'Neill, Anna-Karin", "o'neill, anna-karin"),
        ("Ek,", "ek"),
    ],
)
def test_a_name_in_normal_form(text: str, value: str) -> None:
    assert parse_name(text) == Term(TermKind.NAME, value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", TermProblem.NAME_SHORT),
        ("E", TermProblem.NAME_SHORT),
        (",", TermProblem.NAME_SHORT),
        ("--", TermProblem.NAME_SHORT),
        ("E" * 41, TermProblem.NAME_LONG),
        ("Ek 2", TermProblem.NAME_CHARACTERS),
        ("Ek%", TermProblem.NAME_CHARACTERS),
        ("Ek, A, B", TermProblem.NAME_CHARACTERS),
        ("18900101-9802", TermProblem.NAME_SHORT),
        ("Ek\0a", TermProblem.NAME_CHARACTERS),
    ],
)
def test_what_is_no_name(text: str, problem: TermProblem) -> None:
    with pytest.raises(TermError) as refused:
        parse_name(text)
    assert refused.value.problem is problem


def test_the_ways_to_read_its_words() -> None:
    assert beginnings("ek") == ["ek"]
    assert beginnings("ek, eva") == ["ek, eva"]
    assert beginnings("eva af klint") == [
        "eva af klint", "eva, af klint", "af klint, eva", "eva af, klint", "klint, eva af",
    ]  # fmt: skip


class TestInScope:
    @pytest.mark.parametrize("text", ["Klint, H", "af klint", "hilma af klint", "AF KLINT HILMA", "af k"])
    def test_from_both_ends(self, world: Any, text: str) -> None:
        person = world.post(given_name="Hilma", surname="af Klint").person
        world.post(given_name="Ivan", surname="Klintberg")
        found = look(world.officer(), text)
        assert found.person_id == (None if text.startswith("Klint") else person.id)

    def test_ones_own_organisations_alone(self, world: Any) -> None:
        for organisation, given_name in (
            (world.region, "Anna"),
            (world.clinic, "Bo"),
            (world.city, "Cia"),
            (world.stranger, "Dag"),
        ):
            world.post(organisation, surname="Eklund", given_name=given_name)
        assert names(world.officer(), look(world.officer(), "eklund")) == ["Eklund, Anna", "Eklund, Bo"]
        assert names(world.officer(world.clinic), look(world.officer(world.clinic), "eklund")) == ["Eklund, Bo"]
        reader = world.officer(role=Role.GLOBAL_READER)
        assert len(names(reader, look(reader, "eklund"))) == 4

    def test_never_extended(self, world: Any) -> None:
        world.post(world.stranger, surname="Eklund")
        with pytest.raises(Invalid) as refused:
            look(world.officer(), "eklund", extended=True, reason=REASON)
        assert list(refused.value.fields) == ["name"]
        assert not Search.objects.exists()
        assert not ExtendedReach.objects.exists()

    def test_one_thing_at_a_time(self, world: Any) -> None:
        with pytest.raises(Invalid) as refused:
            look(world.officer(), "eklund", text="1024")
        assert list(refused.value.fields) == ["name"]

    def test_more_than_are_listed_shows_none(self, world: Any, settings: Any) -> None:
        settings.SEARCH_MAX_HITS = 1
        for _ in range(2):
            world.post(surname="Eklund")
        page = searching.hits(actor=world.officer(), search=look(world.officer(), "eklund"))
        assert (page.first(20).lines, page.too_many) == ((), True)

    @pytest.mark.parametrize(
        ("surname", "typed"), [("O\u0308berg", "öberg"), ("İpek", "İPEK"), ("Đặng", "đặng"), ("Weiß", "weiß")]
    )
    def test_letters_of_other_languages_and_decomposed_ones_are_found(self, world: Any, surname: str, typed: str) -> None:
        world.post(surname=surname)
        found = names(world.officer(), look(world.officer(), typed))
        assert found == [f"{unicodedata.normalize('NFC', surname)}, Prov"]

    def test_wildcards_are_letters(self, world: Any) -> None:
        world.post(surname="Eklund")
        assert not searching._persons(world.officer(), Action.VIEW, Term(TermKind.NAME, "e%d")).exists()


class TestProtected:
    def test_without_the_add_on_as_if_there_were_nobody(self, world: Any) -> None:
        """The same answer by the same queries as for a name that nobody has (S13)."""
        post = world.post(protected=True, surname="Hemligsson")
        officer = world.officer()
        hidden, missing = (answer_and_queries(officer, "", {"name": name}) for name in ("hemligsson", "hemligssen"))
        assert hidden == missing
        assert hidden[0][0] == 0
        assert look(world.officer(protected=True), "hemligsson").person_id == post.person_id

    def test_a_list_leaves_them_out(self, world: Any) -> None:
        for protected in (False, True, False):
            world.post(protected=protected, surname="Eklund")
        assert look(world.officer(), "eklund").hits == 2
        assert look(world.officer(protected=True), "eklund").hits == 3


class TestWhatIsKept:
    def test_the_event_has_whom_it_showed_and_not_the_name(self, world: Any) -> None:
        person = world.post(surname="Eklund").person
        look(world.officer(), "eklund")
        event = Event.objects.get(action="search.made")
        assert event.facts == {"kind": "name", "hits": 1, "persons": [str(person.id)]}
        assert "eklund" not in str(event.canonical()).lower()

    def test_names_and_endings_share_a_budget(self, world: Any, settings: Any) -> None:
        settings.SEARCHES_BY_ENDING_PER_HOUR = 2
        post = world.post()
        look(world.officer(), "eklund")
        look_for(world.officer(), "1024")
        for again in (lambda: look(world.officer(), "ek"), lambda: look_for(world.officer(), "1025")):
            with pytest.raises(TooManyRequests) as refused:
                again()
            assert refused.value.retry_after >= 1
        look_for(world.officer(), number_of(post))

    def test_neither_code_nor_message_repeats_what_was_typed(self, world: Any) -> None:
        for name in ("Eklund2", "E", "Eklund" * 8):
            with pytest.raises(DomainError) as refused:
                look(world.officer(), name)
            assert list(refused.value.fields) == ["name"]
            assert "Eklund" not in refused.value.code + refused.value.message + str(refused.value)


def test_it_walks_its_index(world: Any) -> None:
    """Among some thousand people, of whom an actor with one organisation sees a part.

    The name is looked for by an index. Of those found there the people are read by their keys, or by one look at all while these
    are few: which is cheaper here hangs on how many organisations the planner takes the scope for.
    """
    fill(world, world.order(), 3000)
    for actor, index, names_of in (
        (world.officer(), "issuance_person_scope_name", "issuance_personscope"),
        (world.officer(role=Role.GLOBAL_READER), "issuance_person_name", "issuance_person"),
    ):
        plan = searching._persons(actor, Action.VIEW, Term(TermKind.NAME, "e299")).order_by()[:101].explain()
        assert index in plan, plan
        assert f"Seq Scan on {names_of}" not in plan, plan
