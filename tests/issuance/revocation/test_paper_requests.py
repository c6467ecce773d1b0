"""Requests on paper after an outage: many at once, each a revocation of its own, the faulty rows left (rules/issuance 6.5)."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.authz import Role
from issuance.carriers.models import Carrier, Eid
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.revocation.models import HeldRevocation
from issuance.revocation.services import paper_requests
from issuance.revocation.services.paper_requests import PaperRequest
from pki.models import Revocation
from siths_portal.lib import clock
from tests.issuance.person_page.test_pages import client_of, text_of
from tests.issuance.revocation.test_revocation import active
from tests.issuance.revocation.test_whole_person import extra_eid, number_of
from tests.pressing import ENTER

pytestmark = pytest.mark.usefixtures("authorities")
RECEIVED = clock.start_of_day(clock.today() - dt.timedelta(days=1)) + dt.timedelta(hours=12)
"""When the forms came in: an hour that no day has twice."""
WRITTEN = f"{RECEIVED.astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M}"
HOSTILE = "{{ 7*7 }}<script>alert(1)</script>"


@pytest.fixture
def cards(world: Any) -> list[Carrier]:
    return [active(world) for _ in range(3)]


def number(card: Carrier) -> str:
    return str(card.holder.identifiers.get().value)


def row(row: int, card: Carrier, **changes: str) -> dict[str, str]:
    """The fields of a row as the page sends them."""
    given = {
        "person": number(card), "serial": card.card_serial, "reason": "lost_or_stolen", "requester": "organisation",
        "requester_name": "Chef Chefsson", "channel": "written", "received_at": WRITTEN,
    } | changes  # fmt: skip
    return {f"{name}_{row}": value for name, value in given.items()}


def paper(row: int, card: Carrier, **changes: Any) -> PaperRequest:
    request: Any = {
        "reason": "lost_or_stolen", "requester": "holder", "channel": "phone", "received_at": RECEIVED,
    }  # fmt: skip
    given = {"person": number(card), "serial": card.card_serial, "eid": ""} | changes
    return PaperRequest(row, given["person"], given["serial"], given["eid"], request)


def states(cards: list[Carrier]) -> list[str]:
    return [Carrier.objects.get(pk=card.pk).state for card in cards]


def confirmed(client: Client, form: dict[str, str]) -> tuple[Any, Any]:
    """The page that shows what the rows name, and the answer to the last yes."""
    address = reverse("paper_revocations")
    shown = client.post(address, form)
    kept = {f"sak_{found.paper.row}": str(found.subject) for found, _ in shown.context["found"]}
    return shown, client.post(address, form | kept | {"kontrollerad": "1"})


class TestThePages:
    def test_all_that_can_be_done_is_done_and_the_rest_stays(self, world: Any, cards: list[Carrier]) -> None:
        """The written request's minimum fields are kept for each, with the time when it came in."""
        client, officer = client_of(world.officer()), world.officer()
        wrong = row(2, cards[1], serial="9752100000000009999", reason="", requester="", channel="", requester_name="")
        by_hsa_id = cards[2].eids.get().hsa_id.lower()
        form = row(1, cards[0]) | wrong | row(4, cards[2], person=by_hsa_id, serial=cards[2].card_serial[-4:])
        shown, done = confirmed(client, form)
        assert "Vill du spärra 2 rader?" in text_of(shown)
        assert "Rad 2: Personen har inget sådant kort som du får spärra." in text_of(shown)
        assert cards[0].holder.surname in text_of(shown)
        assert "2 spärrar är gjorda" in text_of(done)
        assert "Raderna nedan är inte spärrade." in text_of(done)
        assert states(cards) == ["revoked", "active", "revoked"]
        left = done.context["form"]
        assert left["serial_2"].value() == "9752100000000009999"
        assert (left["reason_2"].value(), left["requester_2"].value()) == ("lost_or_stolen", "organisation"), "as above"
        assert left["person_1"].value() is None
        assert set(Revocation.objects.values_list("received_at", flat=True)) == {RECEIVED}
        facts = Event.objects.get(action="carrier.revoked", subject_ref=str(cards[0].pk)).facts
        assert (facts["requester"], facts["requester_name"], facts["request_channel"]) == (
            "organisation", "Chef Chefsson", "written",
        )  # fmt: skip
        people = Event.objects.filter(action="person.shown", facts__shown="revocation", actor_ref=officer.ref)
        assert set(people.values_list("subject_ref", flat=True)) == {str(cards[0].person_id), str(cards[2].person_id)}

    def test_nothing_is_revoked_before_the_last_yes_and_once_after_it(self, world: Any, cards: list[Carrier]) -> None:
        client, form = client_of(world.officer()), row(1, cards[0])
        client.post(reverse("paper_revocations"), form | ENTER)
        client.post(reverse("paper_revocations"), form | {"kontrollerad": "1"})
        assert states(cards[:1]) == ["active"], "not shown, so not confirmed"
        shown, _ = confirmed(client, form)
        again = {f"sak_{found.paper.row}": str(found.subject) for found, _ in shown.context["found"]}
        repeated = client.post(reverse("paper_revocations"), form | again | {"kontrollerad": "1"})
        assert "Kortet gäller inte längre" in text_of(repeated)
        assert Event.objects.filter(action="carrier.revoked").count() == 1

    def test_what_is_missing_is_said_at_its_row(self, world: Any, cards: list[Carrier]) -> None:
        client = client_of(world.officer())
        form = row(1, cards[0], reason="", requester="", channel="", received_at="i går", requester_name="")
        answer = client.post(reverse("paper_revocations"), form | row(3, cards[1], person=number(cards[0]), received_at=""))
        assert answer.status_code == 422
        errors = answer.context["form"].errors
        assert set(errors) == {"reason_1", "requester_1", "channel_1", "received_at_1", "serial_3", "received_at_3"}
        assert "Rad 3: Personen har inget sådant kort som du får spärra." in text_of(answer)
        assert client.post(reverse("paper_revocations"), {"rader": "9999", "reason_1": "nonsense"}).status_code == 422
        more = client.post(reverse("paper_revocations"), form | {"fler": "1", "rader": "8", "gor": ""})
        assert more.context["form"].count == 16
        assert more.context["form"]["person_1"].value() == number(cards[0])

    def test_above_the_limit_the_rest_waits(self, world: Any, cards: list[Carrier], settings: Any) -> None:
        settings.REVOCATIONS_PER_HOUR = 2
        form = row(1, cards[0]) | row(2, cards[1]) | row(3, cards[2])
        _, done = confirmed(client_of(world.officer()), form)
        assert "Väntar på en kollegas beslut" in text_of(done)
        assert states(cards) == ["revoked", "revoked", "active"]
        assert HeldRevocation.objects.get().received_at == RECEIVED

    def test_s39_what_was_written_is_shown_as_it_was_written(self, world: Any, cards: list[Carrier]) -> None:
        form = row(1, cards[0], requester="other", requester_name=HOSTILE, reason="other", justification=HOSTILE)
        shown, _ = confirmed(client_of(world.officer()), form | row(2, cards[1], person=HOSTILE))
        assert shown.content.decode().count("{{ 7*7 }}&lt;script&gt;") >= 4
        assert "<script>alert" not in shown.content.decode()


class TestTheService:
    def test_s11_each_row_is_checked_in_its_own_transaction(
        self, world: Any, cards: list[Carrier], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A card that left the officer's scope after the rows were matched is not revoked, and the others are."""
        actor, match = world.officer(), paper_requests.match

        def and_then_it_moves(**arguments: Any) -> Any:
            found = match(**arguments)
            Carrier.objects.filter(pk=cards[1].pk).update(organisation=world.stranger)
            return found

        monkeypatch.setattr(paper_requests, "match", and_then_it_moves)
        shown = {number: card.pk for number, card in enumerate(cards, 1)}
        rows = [paper(number, card) for number, card in enumerate(cards, 1)]
        done = paper_requests.carry_out(actor=actor, requests=rows, shown=shown)
        assert [found.paper.row for found in done.faulty] == [2]
        assert states(cards) == ["revoked", "active", "revoked"]

    def test_hidden_and_unknown_persons_are_told_alike_and_nothing_of_others_is_named(self, world: Any) -> None:
        hidden, foreign = active(world, world.post(protected=True)), active(world, world.post(world.stranger))
        rows = [paper(1, hidden), paper(2, foreign), paper(3, hidden, person="189001019802"), paper(4, hidden, person="")]
        found = paper_requests.match(actor=world.officer(), requests=rows)
        assert [each.errors["person"] for each in found[:3]] == [[paper_requests._UNKNOWN]] * 3
        assert all(each.subject is None for each in found)
        for actor, seen in ((world.officer(protected=True), hidden), (world.officer(world.stranger), foreign)):
            (match,) = paper_requests.match(actor=actor, requests=[paper(1, seen)])
            assert (match.errors, match.carrier) == ({}, seen)
        (none,) = paper_requests.match(actor=world.officer(role=Role.READER), requests=[paper(1, foreign)])
        assert none.errors["person"] == [paper_requests._UNKNOWN]

    def test_what_a_row_names(self, world: Any, cards: list[Carrier]) -> None:
        card = cards[0]
        post = card.holder.posts.get()
        person = Person.objects.get(pk=card.person_id)
        eid = extra_eid(card, world.post(world.city, person_id=number_of(person)))
        actor = world.officer(role=Role.GLOBAL_REVOKER)
        rows = [
            paper(1, card, serial=""), paper(2, card, serial="", eid=eid.hsa_id.lower()), paper(3, card, serial="123"),
            paper(4, card, eid=cards[1].eids.get().hsa_id), paper(5, card, person=cards[1].eids.get().hsa_id),
            paper(6, card, person=f" {number(card)[2:8]}-{number(card)[8:]}"), paper(7, card),
        ]  # fmt: skip
        found = paper_requests.match(actor=actor, requests=rows)
        assert [(each.subject, sorted(each.errors)) for each in found] == [
            (card.pk, []), (eid.pk, []), (None, ["serial"]), (None, ["eid"]), (None, ["serial"]), (None, ["person"]),
            (card.pk, ["person"]),
        ]  # fmt: skip
        active(world, post)
        (unsure,) = paper_requests.match(actor=actor, requests=[paper(1, card, serial="")])
        assert unsure.errors == {"serial": ["Personen har flera sådana kort. Skriv alla 19 siffror."]}
        (done,) = paper_requests.carry_out(actor=actor, requests=[rows[1]], shown={2: eid.pk}).revoked
        assert done.eid == eid
        assert (Eid.objects.get(pk=eid.pk).state, states([card])) == ("revoked", ["active"])

    def test_a_row_that_names_something_else_by_now_is_left(self, world: Any, cards: list[Carrier]) -> None:
        done = paper_requests.carry_out(actor=world.officer(), requests=[paper(1, cards[0])], shown={1: cards[1].pk})
        assert done.faulty[0].errors == {"person": ["Personens kort har ändrats. Kontrollera raden igen."]}
        assert states(cards) == ["active"] * 3

    def test_the_queries_do_not_depend_on_the_rows(self, world: Any, cards: list[Carrier]) -> None:
        actor, counts = world.officer(), set()
        for rows in ([paper(1, cards[0])], [paper(number, card) for number, card in enumerate(cards, 1)]):
            with CaptureQueriesContext(connection) as queries:
                paper_requests.match(actor=actor, requests=rows)
            counts.add(len(queries))
        assert len(counts) == 1
        assert max(counts) <= 6
