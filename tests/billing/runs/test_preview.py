"""The running month: the draft's own words before there is a draft."""

from decimal import Decimal

import pytest

from billing.invoices.models import Invoice
from billing.ledger.models import LedgerEntry, SubscriptionSnapshot
from billing.runs.models import RunItem
from billing.runs.services.preview import preview
from billing.service import previewed_line, run_month
from siths_portal.lib import clock
from tests.billing.facts import local, uid
from tests.billing.world import APRIL, REGION, customer, price

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_preview_of_the_month_is_what_the_draft_will_say(facts, prices):
    with clock.moved_to(local(2023, 4, 1)):
        customer(REGION)
    office = facts.office("a", "Kontor A")
    facts.card(REGION, office, "589", local(2023, 4, 12), n=3)
    facts.count("now", REGION, "Partille kommun", 7)
    facts.count("2023-04", REGION, "Partille kommun", 7)
    with clock.moved_to(local(2023, 4, 30, 12)):
        (shown,) = preview(REGION)
    assert not Invoice.objects.exists()
    assert not RunItem.objects.exists()
    assert not SubscriptionSnapshot.objects.exists()
    assert LedgerEntry.objects.count() == 3
    run_month(APRIL, actor_ref="user:test")
    draft = Invoice.objects.get()
    assert shown.content.totals.payable == draft.payable
    assert [line.text for line in shown.content.lines] == [line.text for line in draft.lines.order_by("position")]


def test_a_card_is_in_the_preview_until_it_is_invoiced(facts, prices):
    with clock.moved_to(local(2023, 4, 1)):
        customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
    order = facts.cards[0].order_id
    with clock.moved_to(local(2023, 4, 13)):
        assert previewed_line(order) == "589, Kontor A"
        assert previewed_line(uid("another order")) is None
    run_month(APRIL, actor_ref="user:test")
    assert previewed_line(order) is None


def test_a_card_of_last_month_shows_its_month(facts, prices):
    customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
    assert previewed_line(facts.cards[0].order_id) == "589, Kontor A, avser april 2023"


def test_all_parties(facts, prices):
    customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 5, 1, 12))
    facts.count("now", uid("unknown"), "Partille kommun", 1)
    found = {shown.party_id: shown for shown in preview()}
    assert found[REGION].content.totals.net == Decimal("90.00")
    assert found[uid("unknown")].content is None
    assert found[uid("unknown")].blocked == (("customer-missing", "Kunduppgifter för fakturering saknas."),)


def test_what_blocks_is_said(facts):
    price("589", "90")
    customer(REGION, buyer_reference="")
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 5, 1, 12))
    (shown,) = preview(REGION)
    assert [rule for rule, _ in shown.blocked] == ["PEPPOL-EN16931-R003"]
    facts.count("now", REGION, "Partille kommun", 1)
    (shown,) = preview(REGION)
    assert [rule for rule, _ in shown.blocked] == ["price-missing"]


def test_nothing_to_show(facts):
    customer(REGION)
    (shown,) = preview(REGION)
    assert (shown.content, shown.blocked) == (None, ())
