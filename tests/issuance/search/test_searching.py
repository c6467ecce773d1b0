"""Search: what the one field understands, scope and reach, protected persons, budgets, and that each kind walks an index."""

import datetime as dt
import itertools
import re
import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import ALLOWED, EXTENDED_REACH
from issuance.carriers.models import Carrier, Eid
from issuance.housekeeping.services import clean_up
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import Organisation
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.roles.models.extended_reach import ExtendedReach
from issuance.roles.services.actors import actor_of_person
from issuance.search.domain.search_terms import Term, TermError, TermKind, TermProblem, parse_term
from issuance.search.models import Search
from issuance.search.services import search_limits, searching
from issuance.search.services.searching import BY_NAME, Hit
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError, Forbidden, Invalid, NotFound, TooManyRequests
from siths_portal.lib.http.rate_limits import MinuteBudget
from siths_portal.lib.lists import Cursor, Order, Page
from tests import superuser
from tests.issuance.world import person_number

TODAY = dt.date(2026, 11, 25)
SESSION = uuid.UUID(int=1)
SERIAL = "9876654132532143214"
REASON = "Innehavaren har ringt och vill spärra"


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("18900101-9802", TermKind.PERSON_ID, "189001019802"),
        ("189001019802", TermKind.PERSON_ID, "189001019802"),
        (" 18900101 9802 ", TermKind.PERSON_ID, "189001019802"),
        ("900101+9802", TermKind.PERSON_ID, "189001019802"),
        ("900101-9802", TermKind.PERSON_ID, "199001019802"),
        ("9001019802", TermKind.PERSON_ID, "199001019802"),
        ("18900161-9809", TermKind.PERSON_ID, "189001619809"),  # samordningsnummer: day + 60
        ("18900101\u20119802", TermKind.PERSON_ID, "189001019802"),  # another hyphen, from a word processor
        ("18900101\u00a09802", TermKind.PERSON_ID, "189001019802"),
        ("Person-id: 18900101-9802", TermKind.PERSON_ID, "189001019802"),
        (SERIAL, TermKind.CARD_SERIAL, SERIAL),
        ("9876 6541 325 3214 3214", TermKind.CARD_SERIAL, SERIAL),
        ("]C19876654132532143214\r\n", TermKind.CARD_SERIAL, SERIAL),  # symbology prefix and Enter
        ("\x02\x1d" + SERIAL + "\x03\t", TermKind.CARD_SERIAL, SERIAL),
        ("01A226B4-A042-75F7-857E-D0E11B15C1C8", TermKind.ORDER_ID, "01a226b4-a042-75f7-857e-d0e11b15c1c8"),
        ("01a226b4a04275f7857ed0e11b15c1c8", TermKind.ORDER_ID, "01a226b4-a042-75f7-857e-d0e11b15c1c8"),
        ("Beställnings-id: 01A226B4 A042 75F7 857E D0E11B15C1C8", TermKind.ORDER_ID, "01a226b4-a042-75f7-857e-d0e11b15c1c8"),
        ("04:a1:b2:c3", TermKind.MIFARE_ID, "04A1B2C3"),
        ("MIFARE-id: 04 a1-b2 c3", TermKind.MIFARE_ID, "04A1B2C3"),
        ("mifare 1234567890", TermKind.MIFARE_ID, "1234567890"),
        ("1024", TermKind.HSA_ID, "1024"),
        ("-1024", TermKind.HSA_ID, "-1024"),
        ("b2c", TermKind.HSA_ID, "B2C"),
        ("tstnmt2321000156-1024", TermKind.HSA_ID, "TSTNMT2321000156-1024"),
        ("HSA-id: TSTNMT2321000156-1024", TermKind.HSA_ID, "TSTNMT2321000156-1024"),
    ],
)
def test_the_field_understands(text: str, kind: TermKind, value: str) -> None:
    assert parse_term(text, today=TODAY) == Term(kind, value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", TermProblem.EMPTY),
        (" \x1d\u200b ", TermProblem.EMPTY),
        ("ab", TermProblem.TOO_SHORT),
        ("12", TermProblem.TOO_SHORT),
        ("18900101-9803", TermProblem.CHECK_DIGIT),
        ("900101-9803", TermProblem.CHECK_DIGIT),
        ("18901301-9808", TermProblem.DATE),
        ("20991231-9804", TermProblem.DATE),
        ("18900101980", TermProblem.PERSON_ID_LENGTH),
        ("987665413253214321", TermProblem.SERIAL_LENGTH),
        ("98766541325321432144", TermProblem.SERIAL_LENGTH),
        ("Östgöte", TermProblem.CHARACTERS),
        ("100%_", TermProblem.CHARACTERS),
        ("X" * 32, TermProblem.TOO_LONG),
        ("MIFARE-id: 12345678901", TermProblem.MIFARE),
    ],
)
def test_what_is_not_understood_is_said_in_words(text: str, problem: TermProblem) -> None:
    with pytest.raises(TermError) as refused:
        parse_term(text, today=TODAY)
    assert refused.value.problem is problem


def look(actor: Actor, text: str, **options: Any) -> Search:
    return searching.search(actor=actor, session_id=SESSION, text=text, **options)


def hits(actor: Actor, search: Search, after: object = None, limit: int = 20) -> Page[Hit]:
    cursor = Cursor(str(after)) if after else None
    return searching.hits(actor=actor, search=search).rows.page(Order("namn"), BY_NAME, cursor, limit)


def names(actor: Actor, search: Search, after: object = None) -> list[str]:
    return [hit.name for hit in hits(actor, search, after).lines]


def number_of(post: Post) -> str:
    return str(post.person.identifiers.get().value)


def refresh(post: Post) -> None:
    with transaction.atomic():
        PersonScope.objects.refresh([post.person_id])


def with_card(world: Any, post: Post, serial: str = SERIAL, **order: Any) -> CardOrder:
    made: CardOrder = world.order(post, **order)
    Carrier.objects.filter(pk=made.carrier_id).update(card_serial=serial)
    return made


class TestInScope:
    def test_each_kind_finds_the_one_person(self, world: Any) -> None:
        post = world.post()
        with_card(world, post)
        officer = world.officer()
        order_id = str(CardOrder.objects.get().pk)
        Carrier.objects.update(mifare_id="04a1B2c3")
        mifare = ("04A1B2C3", "04 a1 b2 c3", "04-A1-B2-C3", "MIFARE-id: 04a1b2c3")
        for text in (number_of(post), post.hsa_id, post.hsa_id[-5:].lower(), SERIAL, order_id, order_id.upper(), *mifare):
            found = look(officer, text)
            assert (found.hits, found.person_id) == (1, post.person_id), text

    def test_a_name_in_the_one_field(self, world: Any) -> None:
        """Letters are a name, or the ending of a tjänste-id if nobody has the name."""
        post = world.post(surname="Öberg", given_name="Åsa")
        Post.objects.filter(pk=post.pk).update(hsa_id="TST2321000131-XQZ")
        officer = world.officer()
        for text, kind in (("Öberg", "name"), ("åsa öberg", "name"), ("ÖBERG, Å", "name"), ("xqz", "hsa_id"), ("Ö", None)):
            if kind is None:
                with pytest.raises(Invalid) as refused:
                    look(officer, text)
                assert list(refused.value.fields) == ["text"]
                continue
            found = look(officer, text)
            assert (found.kind, found.person_id) == (kind, post.person_id), text
        assert look(officer, "finnsinte").kind == "name"
        with pytest.raises(Invalid, match="search-name-extended") as refused:
            look(officer, "åsa öberg", extended=True, reason=REASON)
        assert list(refused.value.fields) == ["text"]

    def test_a_scan_beside_a_name_that_was_left_there_is_what_is_searched_for(self, world: Any) -> None:
        order = with_card(world, world.post())
        found = look(world.officer(), SERIAL, name="Andersson")
        assert (found.kind, found.person_id) == ("card_serial", order.carrier.person_id)

    def test_an_order_id_finds_nobody_outside_the_scope(self, world: Any) -> None:
        order = world.order(world.post())
        Carrier.objects.filter(pk=order.carrier_id).update(mifare_id="04A1B2C3")
        for text in (str(order.pk), "04A1B2C3"):
            assert look(world.officer(world.stranger), text).hits == 0
            assert look(world.officer(), text).hits == 1

    def test_an_ended_number_and_an_ended_post_still_find_the_person(self, world: Any) -> None:
        post = world.post()
        with_card(world, post)
        post.person.identifiers.update(valid_to=clock.now())
        Post.objects.filter(pk=post.pk).update(ended_at=clock.now())
        refresh(post)
        for text in (number_of(post), post.hsa_id):
            assert look(world.officer(), text).person_id == post.person_id

    def test_scope_flows_downward(self, world: Any) -> None:
        post = world.post(world.region)
        for officer, hits in ((world.officer(world.region), 1), (world.officer(world.clinic), 0), (world.officer(world.city), 0)):
            for text in (number_of(post), post.hsa_id):
                assert look(officer, text).hits == hits

    def test_a_post_outside_the_scope_is_neither_found_nor_shown(self, world: Any) -> None:
        """The person is seen through the clinic; his post in the city is the city's."""
        number = person_number()
        here, there = world.post(world.clinic, person_id=number), world.post(world.city, person_id=number)
        officer = world.officer(world.clinic)
        assert look(officer, there.hsa_id).hits == 0
        found = look(officer, here.hsa_id[-8:])
        assert hits(officer, found).lines[0].hsa_ids == (here.hsa_id,)
        both = look(world.officer(world.region, Role.RESPONSIBLE_ISSUER), number.value)
        shown = hits(world.officer(world.region, Role.RESPONSIBLE_ISSUER), both).lines[0].hsa_ids
        assert set(shown) == {here.hsa_id, there.hsa_id}

    def test_every_role_that_sees_people_may_search(self, world: Any) -> None:
        post = world.post()
        for role in Role:
            if Action.VIEW in ALLOWED[role]:
                assert look(world.officer(role=role), number_of(post)).hits == 1
            else:
                assert role in (Role.PKI_OPERATOR, Role.FINANCE_ADMIN, Role.CUSTOMER_FINANCE)
                assert look(world.officer(role=role), number_of(post)).hits == 0


class TestList:
    @pytest.fixture
    def many(self, world: Any) -> Any:
        """Names that Swedish sorts otherwise than the alphabet of bytes does; all posts end alike."""
        names = ["Öberg", "Åberg", "Zander", "Ärlig", "Andersson", "af Klint", "Wall", "Vall", "Ek", "Åberg"]
        for index, surname in enumerate(names):
            post = world.post(surname=surname, given_name=f"Prov{index}")
            Post.objects.filter(pk=post.pk).update(hsa_id=f"TST2321000131-{index}XQZ")
        return world

    def test_sorted_the_swedish_way_and_paged(self, many: Any) -> None:
        officer = many.officer()
        found = look(officer, "xqz")
        assert (found.hits, found.person_id) == (10, None)
        surnames = [name.split(",")[0] for name in names(officer, found)]
        assert surnames == ["af Klint", "Andersson", "Ek", "Vall", "Wall", "Zander", "Åberg", "Åberg", "Ärlig", "Öberg"]
        pages, after = [], None
        for _ in range(4):
            page = hits(officer, found, after, limit=3)
            pages.append([hit.name for hit in page.lines])
            after = page.next
        assert [len(page) for page in pages] == [3, 3, 3, 1]
        assert after is None
        assert [name.split(",")[0] for page in pages for name in page] == surnames

    def test_a_cursor_that_is_not_in_the_list_starts_it_anew(self, many: Any) -> None:
        officer = many.officer()
        found = look(officer, "xqz")
        stranger = many.post(many.stranger)
        assert (
            names(officer, found, after=stranger.person_id) == names(officer, found, after=uuid.uuid4()) == names(officer, found)
        )

    def test_more_than_are_listed_shows_none(self, many: Any, settings: Any) -> None:
        settings.SEARCH_MAX_HITS = 9
        found = look(many.officer(), "xqz")
        page = searching.hits(actor=many.officer(), search=found)
        assert (found.hits, page.first(20).lines, page.too_many) == (10, (), True)
        assert Event.objects.filter(action="search.made").latest("id").facts["persons"] == []
        settings.SEARCH_MAX_HITS = 10
        assert len(names(many.officer(), look(many.officer(), "xqz"))) == 10

    def test_queries_do_not_grow_with_the_hits(self, many: Any, django_assert_num_queries: Any) -> None:
        officer = many.officer()
        found = look(officer, "xqz")
        with django_assert_num_queries(3):
            searching.hits(actor=officer, search=found).first(20)


class TestHandle:
    def test_it_is_the_owners_in_his_session_alone(self, world: Any) -> None:
        found = look(world.officer(), "0000")
        assert searching.own(actor=world.officer(), session_id=SESSION, search_id=found.id) == found
        others = [
            (world.officer(world.city), SESSION, found.id),
            (world.officer(), uuid.uuid4(), found.id),
            (world.officer(), SESSION, uuid.uuid4()),
        ]
        for actor, session_id, search_id in others:
            with pytest.raises(NotFound) as refused:
                searching.own(actor=actor, session_id=session_id, search_id=search_id)
            assert refused.value.code == "not-found"

    def test_old_searches_are_forgotten(self, world: Any, settings: Any) -> None:
        old, new = look(world.officer(), "0000"), look(world.officer(), "0001")
        Search.objects.filter(pk=old.pk).update(created_at=clock.now() - dt.timedelta(hours=25))
        post = world.post(world.stranger)
        look(world.officer(), number_of(post), extended=True, reason=REASON)
        assert clean_up.delete_old() == 1
        assert Search.objects.filter(pk=new.pk).exists()
        ExtendedReach.objects.update(until=clock.now() - dt.timedelta(seconds=1))
        assert clean_up.delete_old() == 1
        assert not ExtendedReach.objects.exists()


def answer_and_queries(actor: Actor, text: str, options: Any) -> tuple[Any, list[str]]:
    """What a search and its page tell, and the text of every query but the literals in it."""
    with CaptureQueriesContext(connection) as queries:
        found = look(actor, text, **options)
        page = hits(actor, found)
        too_many = searching.hits(actor=actor, search=found).too_many
    answer = (found.hits, found.person_id, page, too_many)
    return answer, [re.sub(r"'[^']*'(::\w+)?", "?", query["sql"]) for query in queries]


class TestProtected:
    @pytest.mark.parametrize("flag", ["protected_person_indicator", "protected_population_record"])
    def test_without_the_add_on_it_is_as_if_there_were_nobody(self, world: Any, flag: str) -> None:
        """The same answer and the same queries as for what does not exist, by every kind and extended too (S13)."""
        post = world.post(**{flag: True})
        with_card(world, post, actor=world.officer(protected=True))
        nothing = {number_of(post): person_number().value, post.hsa_id: f"{post.hsa_id[:-3]}QQQ", SERIAL: "1" * 19}
        officer = world.officer()
        for options in ({}, {"extended": True, "reason": REASON}):
            for pair in nothing.items():
                hidden, missing = (answer_and_queries(officer, text, options) for text in pair)
                assert hidden == missing
                assert hidden[0][0] == 0
        assert look(world.officer(protected=True), number_of(post)).person_id == post.person_id
        assert not ExtendedReach.objects.exists()

    def test_a_list_leaves_them_out_of_count_and_pages(self, world: Any) -> None:
        for index, protected in enumerate((False, True, False)):
            post = world.post(protected=protected)
            Post.objects.filter(pk=post.pk).update(hsa_id=f"TST2321000131-{index}XQZ")
        assert look(world.officer(), "xqz").hits == 2
        assert look(world.officer(protected=True), "xqz").hits == 3


def extended_actor(world: Any, role: Role, post: Post, *, protected: bool = False) -> Actor:
    """The role's holder as the next request sees him, after an extended search for the post's person."""
    officer = world.officer(role=role, protected=protected)
    look(officer, number_of(post), extended=True, reason=REASON)
    return actor_of_person(officer.person_id)


MAY_EXTEND = [role for role in Role if Action.EXTENDED_SEARCH in ALLOWED[role]]


class TestExtended:
    @pytest.mark.parametrize("role", [role for role in Role if role not in MAY_EXTEND])
    def test_roles_without_the_right_are_refused(self, world: Any, role: Role) -> None:
        assert not searching.may_extend(world.officer(role=role))
        with pytest.raises(Forbidden):
            look(world.officer(role=role), "1024", extended=True, reason=REASON)
        assert not Search.objects.exists()

    @pytest.mark.parametrize("reason", ["", "  ", "x y", "x" * 201])
    def test_a_reason_is_demanded(self, world: Any, reason: str) -> None:
        with pytest.raises(Invalid) as refused:
            look(world.officer(), "1024", extended=True, reason=reason)
        assert list(refused.value.fields) == ["reason"]

    def test_the_event_tells_reason_and_persons(self, world: Any) -> None:
        post = world.post(world.stranger)
        found = look(world.officer(), number_of(post), extended=True, reason=f"  {REASON} ")
        event = Event.objects.get(action="search.extended")
        assert (event.actor_ref, event.subject_ref) == (world.officer().ref, str(found.id))
        assert event.facts == {"kind": "person_id", "hits": 1, "persons": [str(post.person_id)], "reason": REASON}
        assert number_of(post) not in str(event.facts)

    @pytest.mark.parametrize("role", MAY_EXTEND)
    def test_what_is_found_opens_for_looking_and_revoking_alone(self, world: Any, role: Role) -> None:
        """Every action on every thing of a person in another area, by each role that may search so.

        `tests/access/test_rules.py` proves which rows of those found, and of others, each role sees for each action.
        """
        mover = world.post(world.region)  # not looked for: stays shut when outside
        order = strange_order(world)
        post = order.eid.post
        before = world.officer(role=role)
        actor = extended_actor(world, role, post)
        rows = things(order)
        everywhere = any(grant.scope_path == "/" for grant in actor.grants)
        actions = set(Action) - {Action.EXTENDED_SEARCH, Action.SUPPLY, Action.READ_SUPPLIED}
        rights = {model: model.objects.with_rights(actor, actions).get(pk=pk) for model, pk in rows.items()}
        for action, (model, pk) in itertools.product(actions, rows.items()):
            by_reach = action in EXTENDED_REACH and action in ALLOWED[role]
            wanted = action in ALLOWED[role] if everywhere else by_reach
            assert getattr(rights[model], f"may_{action}") == wanted, (action, model)
            if not everywhere:
                assert not model.objects.visible_to(before, action).filter(pk=pk).exists()
        assert Person.objects.visible_to(actor).filter(pk=mover.person_id).exists()
        assert Organisation.objects.visible_to(actor).filter(pk=world.stranger.pk).exists() == everywhere

    def test_seen_but_not_allowed_is_forbidden_not_missing(self, world: Any) -> None:
        post = world.post(world.stranger)
        with pytest.raises(NotFound):
            policy.require(world.officer(), Action.ORDER_ORDINARY_CARD, post)
        with pytest.raises(Forbidden):
            policy.require(extended_actor(world, Role.ID_ADMINISTRATOR, post), Action.ORDER_ORDINARY_CARD, post)

    def test_it_ends_with_the_time_and_with_the_role(self, world: Any) -> None:
        post = world.post(world.stranger)
        actor = extended_actor(world, Role.REVOKER, post)
        assert Person.objects.visible_to(actor).filter(pk=post.person_id).exists()
        ExtendedReach.objects.update(until=clock.now())
        assert not Person.objects.visible_to(actor_of_person(actor.person_id)).filter(pk=post.person_id).exists()
        ExtendedReach.objects.update(until=clock.now() + dt.timedelta(minutes=1))
        grant = Person.objects.get(pk=actor.person_id).role_grants.get()
        grant.role = Role.READER.value
        grant.save()
        reader = actor_of_person(actor.person_id)
        assert reader.extended_persons
        assert not Person.objects.visible_to(reader).filter(pk=post.person_id).exists()

    def test_it_is_nobody_elses(self, world: Any) -> None:
        post = world.post(world.stranger)
        extended_actor(world, Role.REVOKER, post)
        officer = actor_of_person(world.officer().person_id)
        assert officer.extended_persons == frozenset()
        assert not Person.objects.visible_to(officer).filter(pk=post.person_id).exists()

    def test_protected_persons_need_the_add_on_also_when_they_became_so_later(self, world: Any) -> None:
        hidden = world.post(world.stranger, protected=True)
        assert extended_actor(world, Role.REVOKER, hidden).extended_persons == frozenset()
        with_add_on = extended_actor(world, Role.REVOKER, hidden, protected=True)
        assert Person.objects.visible_to(with_add_on).filter(pk=hidden.person_id).exists()
        later = world.post(world.stranger)
        actor = extended_actor(world, Role.ID_ADMINISTRATOR, later)
        Person.objects.filter(pk=later.person_id).update(is_protected=True, protected_person_indicator=True)
        assert not Person.objects.visible_to(actor).filter(pk=later.person_id).exists()
        assert not Post.objects.visible_to(actor).filter(pk=later.id).exists()

    def test_several_hits_are_listed_from_the_reach(self, world: Any) -> None:
        for index in range(3):
            post = world.post(world.stranger)
            Post.objects.filter(pk=post.pk).update(hsa_id=f"TST2321000016-{index}XQZ")
        found = look(world.officer(), "xqz", extended=True, reason=REASON)
        assert len(names(actor_of_person(world.officer().person_id), found)) == 3
        assert names(world.officer(), found) == []  # the actor of before: nothing was open to him

    def test_too_many_hits_open_nobody(self, world: Any, settings: Any) -> None:
        settings.SEARCH_EXTENDED_MAX_HITS = 1
        for index in range(2):
            post = world.post(world.stranger)
            Post.objects.filter(pk=post.pk).update(hsa_id=f"TST2321000016-{index}XQZ")
        found = look(world.officer(), "xqz", extended=True, reason=REASON)
        assert searching.hits(actor=world.officer(), search=found).too_many
        assert not ExtendedReach.objects.exists()


def things(order: CardOrder) -> dict[Any, uuid.UUID]:
    """One row of each model that is a person's."""
    person_id, post_id = order.carrier.person_id, order.eid.post_id
    return {Person: person_id, Post: post_id, Carrier: order.carrier_id, Eid: order.eid_id, CardOrder: order.id}


def strange_order(world: Any) -> CardOrder:
    """An ordered card of a person whom nobody in the region sees."""
    officer = world.officer(world.stranger)
    order = world.order(actor=world.officer())
    post = order.eid.post
    Post.objects.filter(pk=post.pk).update(organisation=world.stranger)
    Carrier.objects.filter(pk=order.carrier_id).update(organisation=world.stranger)
    Eid.objects.filter(pk=order.eid_id).update(organisation=world.stranger)
    CardOrder.objects.filter(pk=order.pk).update(organisation=world.stranger)
    refresh(post)
    assert Person.objects.visible_to(officer).filter(pk=post.person_id).exists()
    return CardOrder.objects.get(pk=order.pk)


class TestBudgets:
    @pytest.mark.parametrize(
        ("setting", "text", "options"),
        [
            ("SEARCHES_PER_HOUR", "18900101-9802", {}),
            ("SEARCHES_BY_ENDING_PER_HOUR", "1024", {}),
            ("SEARCHES_EXTENDED_PER_HOUR", "18900101-9802", {"extended": True, "reason": REASON}),
        ],
    )
    def test_what_is_too_much_waits(self, world: Any, settings: Any, setting: str, text: str, options: Any) -> None:
        setattr(settings, setting, 2)
        officer = world.officer()
        first = look(officer, text, **options)
        Search.objects.filter(pk=first.pk).update(created_at=clock.now() - dt.timedelta(minutes=59))
        look(officer, text, **options)
        with pytest.raises(TooManyRequests) as refused:
            look(officer, text, **options)
        assert 1 <= refused.value.retry_after <= 60
        assert "vänta" in refused.value.message.lower()
        look(world.officer(world.city), text, **options)  # another's budget
        Search.objects.filter(pk=first.pk).update(created_at=clock.now() - dt.timedelta(minutes=61))
        look(officer, text, **options)

    def test_endings_leave_the_whole_numbers_alone(self, world: Any, settings: Any) -> None:
        settings.SEARCHES_BY_ENDING_PER_HOUR = 1
        look(world.officer(), "1024")
        with pytest.raises(TooManyRequests):
            look(world.officer(), "1025")
        look(world.officer(), "18900101-9802")

    def test_s47_an_organisation_and_everybody_search_so_often_a_minute(
        self, world: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(search_limits, "_SEARCHES", MinuteBudget())
        settings.SEARCHES_PER_MINUTE_BY_ORGANISATION = 2
        region, colleague = (replace(world.officer(), hsa_id=hsa_id) for hsa_id in ("TST2321000131-A1", "tst2321000131-C3"))
        city, moment = replace(world.officer(world.city), hsa_id="TST5565594230-B2"), clock.now()
        with clock.moved_to(moment):
            look(region, "1024")
            look(colleague, "1024")
            with pytest.raises(TooManyRequests, match="search-budget") as refused:
                look(region, "1024")
            assert 1 <= (refused.value.retry_after or 0) <= 61
            assert Search.objects.count() == 2
            look(city, "1024")
            settings.SEARCHES_PER_MINUTE = 3
            with pytest.raises(TooManyRequests):
                look(city, "1024")
        with clock.moved_to(moment + dt.timedelta(minutes=1)):
            look(region, "1024")

    def test_a_budget_of_none_lets_nobody_search(self, world: Any, settings: Any) -> None:
        settings.SEARCHES_EXTENDED_PER_HOUR = 0
        with pytest.raises(TooManyRequests):
            look(world.officer(), "1024", extended=True, reason=REASON)

    def test_a_clerk_with_50_cards_a_day_meets_none(self, settings: Any) -> None:
        """Each card three times in one and the same hour."""
        assert settings.SEARCHES_PER_HOUR >= 150
        assert settings.SEARCHES_BY_ENDING_PER_HOUR >= 50
        assert settings.SEARCHES_PER_MINUTE_BY_ORGANISATION >= 150, "and 150 clerks of an organisation once each in one minute"

    def test_s14_trying_numbers_is_noted_once_an_hour(self, world: Any, settings: Any) -> None:
        settings.SEARCH_MISSES_SUSPECT = 3
        post = world.post()
        for index in range(6):
            look(world.officer(), f"QQQ{index}")
            look(world.officer(), number_of(post))
        event = Event.objects.get(action="search.suspected")
        assert (event.actor_ref, event.facts["misses"]) == (world.officer().ref, 3)

    def test_s14_collecting_people_by_parts_is_noted_once_an_hour(self, world: Any, settings: Any) -> None:
        """Whole numbers collect nobody, and of more hits than are listed nobody is shown."""
        settings.SEARCH_SHOWN_SUSPECT, settings.SEARCH_MAX_HITS = 5, 2
        posts = [world.post(surname=name) for name in ("Alm", "Alm", "Bok", "Bok", "Bok")]

        def named(name: str) -> None:
            searching.search(actor=world.officer(), session_id=SESSION, name=name)

        for post in posts:
            look(world.officer(), number_of(post))
        for name in ("Bok", "Alm", "Bok", "Alm"):
            named(name)
        look(world.officer(), "QQQ1")
        assert not Event.objects.filter(action="search.suspected").exists()
        look(world.officer(), posts[0].hsa_id[-6:])
        named("Alm")
        event = Event.objects.get(action="search.suspected")
        assert (event.actor_ref, event.facts["shown"], "misses" in event.facts) == (world.officer().ref, 5, False)
        with clock.moved_to(clock.now() + dt.timedelta(minutes=61)):
            for _ in range(3):
                named("Alm")
            assert Event.objects.filter(action="search.suspected").count() == 2

    def test_what_cannot_be_searched_for_costs_nothing(self, world: Any) -> None:
        with pytest.raises(Invalid) as refused:
            look(world.officer(), "18900101-9803")
        assert refused.value.fields == {"text": [TermProblem.CHECK_DIGIT]}
        assert not Search.objects.exists()

    def test_neither_code_nor_message_repeats_what_was_typed(self, world: Any) -> None:
        for text in ("18900101-9803", "Provsson1", "987665413253214321"):
            with pytest.raises(DomainError) as refused:
                look(world.officer(), text + "å")
            assert text not in refused.value.code + refused.value.message + str(refused.value)


def test_each_kind_of_search_walks_its_index(world: Any, subtests: pytest.Subtests) -> None:
    """Among some thousand people, of whom an actor with one organisation sees a part. The kinds share them: plans only read."""
    fill(world, world.order(), 3000)
    actors = (world.officer(), world.officer(role=Role.GLOBAL_READER))
    for kind, index, value in (
        (TermKind.PERSON_ID, "issuance_identifier_value", "189001019802"),
        (TermKind.HSA_ID, "issuance_post_hsa_ending", "Q0099"),
        (TermKind.CARD_SERIAL, "issuance_one_carrier_per_serial", f"{99:019}"),
        (TermKind.MIFARE_ID, "issuance_carrier_mifare", "Q99"),
    ):
        with subtests.test(kind=kind):
            for actor in actors:
                persons = searching._persons(actor, Action.VIEW, Term(kind, value))[:101]
                plan = persons.explain()
                assert index in plan, plan
                for table in ("personidentifier", "post", "carrier"):
                    assert f"Seq Scan on issuance_{table}" not in plan, plan


def fill(world: Any, order: CardOrder, count: int) -> None:
    """People with a number, a post and a card each, in the region and in another area by turns."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH n AS (SELECT i, gen_random_uuid() AS person, CASE WHEN i %% 2 = 0 THEN %(here)s ELSE %(there)s END::uuid AS org
                       FROM generate_series(1, %(count)s) i),
            p AS (INSERT INTO issuance_person (id, given_names, given_name_in_use, surname, sort_name, deceased, synthetic,
                    protected_person_indicator, protected_population_record, is_protected, created_at)
                  SELECT person, 'Prov', 'Prov', 'E' || i, 'E' || i || ', Prov', false, true, false, false, false, now() FROM n),
            f AS (INSERT INTO issuance_personidentifier (person_id, kind, value, valid_from)
                  SELECT person, 'personnummer', lpad(i::text, 12, '0'), now() FROM n),
            o AS (INSERT INTO issuance_post (id, hsa_id, person_id, organisation_id, title, mail, upn, synced_at)
                  SELECT gen_random_uuid(), 'TST2321000131-Q' || lpad(i::text, 4, '0'), person, org, '', '', '', now() FROM n),
            c AS (INSERT INTO issuance_carrier (id, state, seq, kind, origin, person_id, organisation_id, article_id,
                    assurance_level, card_serial, card_key_spki, card_key_sha256, mifare_id, valid_from, valid_to,
                    revocation_reason, created_at)
                  SELECT gen_random_uuid(), 'ordered', 0, 'ordinary_card', 'portal', person, org, %(article)s,
                    3, lpad(i::text, 19, '0'), '', '', 'Q' || i, now(), now() + interval '1 year', '', now() FROM n)
            INSERT INTO issuance_personscope (organisation_id, person_id, sort_name)
            SELECT org, person, 'E' || i || ', Prov' FROM n
            """,
            {"here": world.region.id, "there": world.stranger.id, "count": count, "article": order.article_id},
        )
    superuser.analyze()
