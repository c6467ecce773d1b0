"""Issued certificates on cards are compared with orders once a day, a batch at a time, and what has none is told."""

import datetime as dt
from collections.abc import Iterator, Mapping
from uuid import UUID

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pki.domain.findings import Severity
from pki.health import checks
from pki.issuing import reconciling, signing
from pki.models import CardReconciliation, Certificate, Event
from pki.ports import IssuanceCheck
from siths_portal.lib import clock, ports
from tests.pki.every_card import EveryCard
from tests.pki.orders import order, plan


class Orders(EveryCard):
    """Knows no order for some certificates. `asked` are those that it was asked about, batch by batch."""

    def __init__(self) -> None:
        self.unordered: set[UUID] = set()
        self.asked: list[set[UUID]] = []

    def without_order(self, certificates: Mapping[UUID, str]) -> Mapping[UUID, str]:
        self.asked.append(set(certificates))
        return {id_: "no-order" for id_ in certificates if id_ in self.unordered}


@pytest.fixture
def orders() -> Iterator[Orders]:
    before, made = ports.get(IssuanceCheck), Orders()
    ports.connect(IssuanceCheck, made)
    yield made
    ports.connect(IssuanceCheck, before)


@pytest.fixture
def cards(demo_pki, orders: Orders) -> list[UUID]:
    """Five certificates on cards, and one that is on none."""
    found = [plan(order("person-id-auth", subject_ref=f"person:{n}", carrier_ref=f"carrier:{n}"))[0] for n in range(5)]
    plan(order("function"))
    signing.settle()
    return sorted(found)


def test_all_are_compared_in_batches_and_those_without_order_are_told(cards, orders, monkeypatch, capsys) -> None:
    monkeypatch.setattr(reconciling, "BATCH", 2)
    orders.unordered = {cards[1], cards[4]}
    with pytest.raises(CommandError, match="2 certifikat saknar") as refused:
        call_command("pki_reconcile")
    assert refused.value.returncode == 1
    rows = Certificate.objects.select_related("ca").in_bulk(cards)
    said = {id_: f"{id_}: no-order, {row.ca.slug} {row.serial}, {row.status}" for id_, row in rows.items()}
    assert capsys.readouterr().out.splitlines() == [
        said[cards[1]], said[cards[4]], "5 certifikat jämförda, 2 utan beställning eller kvittens",
    ]  # fmt: skip
    assert orders.asked == [set(cards[:2]), set(cards[2:4]), {cards[4]}]
    events = Event.objects.filter(subject_type="card_reconciliation").order_by("id")
    assert [(event.action, event.facts["found"]) for event in events] == [
        ("card_reconciliation.alarm", 1), ("card_reconciliation.alarm", 2),
    ]  # fmt: skip
    (finding,) = checks.cards()
    assert (finding.subject, finding.severity, finding.value) == ("kortcertifikat", Severity.ERROR, 2)


def test_a_turn_ends_and_the_next_goes_on_where_it_stopped(cards, orders, monkeypatch) -> None:
    monkeypatch.setattr(reconciling, "BATCH", 2)
    row = reconciling.run(seconds=0)
    reconciling._compare_batch(row)
    assert (row.compared, row.ended_at) == (2, None)
    done = reconciling.run_due()
    assert (done.id, done.compared, done.found) == (row.id, 5, 0)
    assert orders.asked == [set(cards[:2]), set(cards[2:4]), {cards[4]}]
    assert reconciling.run_due() is None
    with clock.moved_to(clock.now() + dt.timedelta(days=1)):
        assert reconciling.run_due().id != row.id
    with clock.moved_to(clock.now() + dt.timedelta(days=4)):
        (finding,) = checks.cards()
        assert finding.severity == Severity.WARNING


def test_a_revoked_certificate_is_compared_and_one_that_never_was_is_not(cards, orders) -> None:
    Certificate.objects.filter(id=cards[0]).update(status="revoked", revoked_at=clock.now(), reason="superseded")
    plan(order("person-id-sign"))
    reconciling.run()
    assert orders.asked == [set(cards)]


def test_before_the_first_nothing_is_said(demo_pki) -> None:
    assert list(checks.cards()) == []


def test_a_batch_costs_the_same_queries_whatever_it_holds(cards, orders) -> None:
    counts = []
    for position in (None, cards[3]):
        row = CardReconciliation.objects.create(started_at=clock.now(), position=position)
        with CaptureQueriesContext(connection) as queries:
            reconciling._compare_batch(row)
        counts.append(len(queries))
    assert counts[0] == counts[1]
