"""More revocations in an hour than one officer may do wait for a second (ADR 0297)."""

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.urls import reverse

from issuance.activation.models import EidAppTransaction, Identification
from issuance.activation.services import activation
from issuance.authz import Actor, Role
from issuance.carriers.models import Carrier
from issuance.records.models.events import Event
from issuance.records.services import two_persons
from issuance.revocation.models import HeldRevocation
from issuance.revocation.services import revocation, revocation_limit
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, NotFound
from siths_portal.lib.pages.dates import in_words
from tests.at_once import run_at_once
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.revocation.test_pages import proof
from tests.issuance.roles.test_pages import client_of

LIMIT = 2


@pytest.fixture(autouse=True)
def limit(settings: Any) -> None:
    settings.REVOCATIONS_PER_HOUR = LIMIT


@pytest.fixture
def cards(world: Any) -> list[Carrier]:
    return [world.order().carrier for _ in range(LIMIT + 2)]


@pytest.fixture
def second(world: Any) -> Actor:
    actor: Actor = world.officer(role=Role.REVOKER)
    return actor


def revoke(actor: Actor, card: Carrier, **more: Any) -> Any:
    return revocation.revoke_carrier(actor=actor, carrier_id=card.pk, reason="lost_or_stolen", **more)


def states(cards: list[Carrier]) -> list[str]:
    return [Carrier.objects.get(pk=card.pk).state for card in cards]


def held_metric() -> float:
    return revocation_limit._HELD._value.get()  # type: ignore[attr-defined,no-any-return]


class TestTheLimit:
    def test_what_exceeds_it_waits_with_its_time_and_is_counted(self, world: Any, cards: list[Carrier], second: Actor) -> None:
        officer, before, received = world.officer(), held_metric(), clock.now()
        for card in cards[:LIMIT]:
            assert revoke(officer, card).state == "revoked"
        row = revoke(officer, cards[LIMIT], received_at=received, justification="Stulna väskor")
        assert isinstance(row, HeldRevocation)
        assert (row.received_at, row.requested_by_ref, row.justification) == (received, officer.ref, "Stulna väskor")
        assert held_metric() == before + 1
        with pytest.raises(Conflict, match=revocation_limit.WAITS):
            revoke(officer, cards[LIMIT])
        assert HeldRevocation.objects.get() == row, "the same again is no second request"
        assert states(cards) == ["revoked", "revoked", "ordered", "ordered"]
        assert Event.objects.filter(action="revocation.held").count() == 1
        assert revoke(second, cards[-1]).state == "revoked", "another officer has a limit of their own"

    def test_an_eid_counts_as_its_carrier_and_once(self, world: Any, cards: list[Carrier]) -> None:
        officer = world.officer()
        revocation.revoke_eid(actor=officer, eid_id=cards[0].eids.get().pk, reason="lost_or_stolen")
        assert revoke(officer, cards[0]).state == "revoked"
        assert revoke(officer, cards[1]).state == "revoked"
        row = revocation.revoke_eid(actor=officer, eid_id=cards[2].eids.get().pk, reason="lost_or_stolen")
        assert isinstance(row, HeldRevocation)

    def test_an_hour_later_there_is_room_again(self, world: Any, cards: list[Carrier]) -> None:
        officer = world.officer()
        for card in cards[:LIMIT]:
            revoke(officer, card)
        with clock.moved_to(clock.now() + dt.timedelta(minutes=61)):
            assert revoke(officer, cards[LIMIT]).state == "revoked"

    def test_of_many_at_once_no_more_than_the_limit_pass(self, world: Any, cards: list[Carrier]) -> None:
        officer, left = world.officer(), list(cards)
        assert run_at_once(len(cards), lambda: revoke(officer, left.pop())) == []
        assert states(cards).count("revoked") == LIMIT
        assert HeldRevocation.objects.count() == len(cards) - LIMIT


class TestTheSecondOfficer:
    @pytest.fixture
    def held(self, world: Any, cards: list[Carrier], second: Actor) -> list[HeldRevocation]:
        return [row for card in cards if isinstance(row := revoke(world.officer(), card), HeldRevocation)]

    def test_approves_and_the_received_time_stays(self, held: list[HeldRevocation], cards: list[Carrier], second: Actor) -> None:
        ids = [row.pk for row in held]
        assert revocation.decide_held(actor=second, held_ids=ids, approve=True) == len(held)
        assert states(cards) == ["revoked"] * len(cards)
        event = Event.objects.get(action="carrier.revoked", subject_ref=str(held[0].carrier_id))
        assert (event.actor_ref, event.facts["held_revocation"]) == (second.ref, str(held[0].pk))
        assert dt.datetime.fromisoformat(event.facts["received_at"]) == held[0].received_at
        assert revocation.decide_held(actor=second, held_ids=ids, approve=True) == 0, "a second click"

    def test_rejects(self, held: list[HeldRevocation], cards: list[Carrier], second: Actor) -> None:
        revocation.decide_held(actor=second, held_ids=[held[0].pk], approve=False)
        assert states(cards).count("revoked") == LIMIT
        assert Event.objects.filter(action="revocation.rejected").count() == 1

    def test_is_not_the_first_nor_newer_nor_out_of_scope(self, world: Any, held: list[HeldRevocation]) -> None:
        for actor, why in (
            (world.officer(), two_persons.OWN),
            (world.officer(role=Role.RESPONSIBLE_ISSUER), two_persons.TOO_NEW),
        ):
            with pytest.raises(Forbidden) as refused:
                revocation.decide_held(actor=actor, held_ids=[held[0].pk], approve=True)
            assert refused.value.message == why
        with pytest.raises(NotFound):
            revocation.decide_held(actor=world.officer(world.stranger), held_ids=[held[0].pk], approve=True)

    def test_what_was_revoked_meanwhile_is_only_closed(self, held: list[HeldRevocation], second: Actor) -> None:
        revoke(second, held[0].carrier)
        assert revocation.decide_held(actor=second, held_ids=[held[0].pk], approve=True) == 1
        assert Event.objects.filter(action="carrier.revoked", subject_ref=str(held[0].carrier_id)).count() == 1

    def test_the_database_keeps_the_decision(self, world: Any, held: list[HeldRevocation], second: Actor) -> None:
        rows = HeldRevocation.objects.filter(pk=held[0].pk)
        now = clock.now()
        for values in (
            {"state": "approved", "decided_by_ref": world.officer().ref, "decided_at": now},
            {"state": "approved"},
            {"received_at": now},
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                rows.update(**values)
        revocation.decide_held(actor=second, held_ids=[held[0].pk], approve=False)
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(state="open")


class TestThePages:
    def test_the_officer_reads_why_and_the_second_decides(self, world: Any, cards: list[Carrier], second: Actor) -> None:
        officer, other = world.officer(), client_of(second)
        for card in cards[:LIMIT]:
            revoke(officer, card)
        moment = clock.now().astimezone(clock.STOCKHOLM)
        sent = {
            "reason": "lost_or_stolen", "requester": "holder", "channel": "visit",
            "received_at": f"{moment:%Y-%m-%dT%H:%M}", "confirm": proof(cards[LIMIT]),
        }  # fmt: skip
        first = client_of(officer)
        told = first.post(reverse("carrier_revoke", args=[cards[LIMIT].pk]), sent, follow=True)
        assert "Spärren är inte gjord." in text_of(told)
        address = reverse("held_revocations")
        assert f'href="{address}">Visa spärrar som väntar' in told.content.decode()
        again = first.post(reverse("carrier_revoke", args=[cards[LIMIT].pk]), sent, follow=True)
        assert "Begäran skickades inte." in text_of(again)
        assert text_of(again).count("begärde samma spärr") == 1
        assert "Du har själv lämnat begäran." in text_of(first.get(address))
        assert "1 spärr väntar på ditt beslut" in text_of(other.get(reverse("day")))
        row = HeldRevocation.objects.get()
        for form, why in (({"sparr": str(row.pk)}, "Välj om du godkänner"), ({"decision": "approve"}, "Välj minst en spärr")):
            refused = other.post(address, form)
            assert (refused.status_code, why in text_of(refused)) == (422, True)
        done = other.post(address, {"sparr": str(row.pk), "decision": "approve"}, follow=True)
        assert "1 spärr är godkänd och gjord." in text_of(done)
        assert "Ingen spärr väntar" in text_of(done)
        assert states(cards)[LIMIT] == "revoked"

    def test_a_card_whose_revocation_waits_is_not_activated(self, world: Any, cards: list[Carrier], second: Actor) -> None:
        officer, card = world.officer(), cards[LIMIT]
        Carrier.objects.filter(pk=card.pk).update(state="sent", sent_at=clock.now(), card_serial="9752100000000001123")
        begun = EidAppTransaction.objects.create(
            carrier=card, kind="activate", state="created", seq=1, officer_ref=officer.ref, created_at=clock.now(),
            expires_at=clock.now() + dt.timedelta(minutes=5),
            identification=Identification.objects.create(
                carrier=card, officer_ref=officer.ref, identity_document="passport", at=clock.now()
            ),
        )  # fmt: skip
        client, activate = client_of(officer), reverse("activate", args=[card.pk])
        page = reverse("person", args=[card.person_id])
        assert f'class="ds-button" href="{activate}"' in client.get(page).content.decode()
        for each in cards[:LIMIT]:
            revoke(officer, each)
        row = revoke(officer, card)
        begun.refresh_from_db()
        assert begun.state == "failed"
        shown = client.get(page)
        assert "En spärr av kortet väntar på beslut." in text_of(shown)
        assert f"begärde spärren {in_words(row.requested_at)}" in text_of(shown)
        assert reverse("held_revocations") in shown.content.decode()
        assert f'href="{activate}"' not in shown.content.decode()
        assert "Kortet kan inte aktiveras så länge spärren väntar" in text_of(client.get(activate))
        with pytest.raises(Conflict, match=revocation_limit.WAITS):
            activation.identify(actor=officer, carrier_id=card.pk, identity_document="passport")
        ended = text_of(client.get(reverse("activation_sign", args=[begun.pk])))
        assert "En spärr begärdes under aktiveringen." in ended
        assert "Avslås den kan kortet aktiveras." in ended
        assert "Identifiera innehavaren igen" not in ended
        revocation.decide_held(actor=second, held_ids=[row.pk], approve=False)
        assert f'class="ds-button" href="{activate}"' in client.get(page).content.decode()
