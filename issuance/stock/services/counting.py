"""Stock-taking of an office, and the level below which it needs more cards (rules/issuance 3.13)."""

from uuid import UUID

from django.db import transaction

from issuance.activation.services import visits
from issuance.authz import Action, Actor, policy
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.offices.models import Office
from issuance.records.services import steps
from issuance.stock.domain import StockAction, StockState
from issuance.stock.models import StockCard, StockCount, StockLevel
from issuance.stock.services import offices
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid

HIGHEST_LEVEL = 10_000
"""The highest level of a low-stock alarm."""


@transaction.atomic(durable=True)
def count_stock(*, actor: Actor, office_id: UUID, serials: str) -> StockCount:
    """Records a stock-taking: cards that were in stock and are not among the scanned ones are missing, scanned ones that were
    missing are in stock again. An empty list counts no card. All or nothing. A second click returns the first one's count (S33).

    Raises NotFound, Forbidden, Invalid at `serials` with the lines that are no cards of the office's stock.
    """
    office = offices.require_office(actor, office_id)
    found = offices.read(serials) if serials.strip() else None
    cards = _locked(office)
    by_serial = {card.carrier.card_serial: card for card in cards}
    lines = found.lines if found else {}
    if foreign := [line for serial, line in lines.items() if serial not in by_serial]:
        lines_text = offices.lines_text(foreign)
        message = f"Kortet finns inte i kontorets lager: {lines_text}. Lägg undan det, ta bort raden och spara igen."
        raise offices.wrong("serial-not-in-stock", message)
    expected = [card for card in cards if card.state == StockState.IN_STOCK]
    missing = [card for card in expected if card.carrier.card_serial not in lines]
    returned = [by_serial[serial] for serial in lines if by_serial[serial].state == StockState.MISSING]
    if not missing and not returned and (known := _first_click(actor, office, len(lines))):
        return known
    facts = {"office": str(office.pk)}
    steps.step(missing, StockAction.MISS, actor_ref=actor.ref, facts=facts)
    steps.step(returned, StockAction.FIND, actor_ref=actor.ref, facts=facts)
    made = StockCount.objects.create(
        office=office,
        counted_by_ref=actor.ref,
        counted_at=clock.now(),
        expected=len(expected),
        found=len(expected) - len(missing),
        returned=len(returned),
    )
    counted = {
        "stock_expected": made.expected,
        "stock_found": made.found,
        "stock_missing": made.missing,
        "stock_returned": made.returned,
    }
    offices.record(actor, "office.stock_counted", office.pk, **counted)
    return made


def _first_click(actor: Actor, office: Office, scanned: int) -> StockCount | None:
    """Returns the count of so many cards that the actor sent a moment ago, or None."""
    since = clock.now() - visits.SECOND_CLICK
    counts = StockCount.objects.filter(office=office, counted_by_ref=actor.ref, counted_at__gt=since)
    newest = counts.order_by("-counted_at", "-pk").first()
    return newest if newest is not None and newest.found + newest.returned == scanned else None


def _locked(office: Office) -> list[StockCard]:
    """Locks and returns the cards that should lie at the office, and those that are missing from what it received."""
    known = StockCard.objects.filter(office=office, received_at__isnull=False, carrier__state=CarrierState.IN_STOCK.value)
    states = [StockState.IN_STOCK.value, StockState.MISSING.value]
    carriers = offices.lock_carriers(list(known.filter(state__in=states).values_list("carrier", flat=True)))
    cards = [card for card in offices.lock_cards(carriers) if card.state in states]
    for card in cards:
        card.carrier = carriers[card.carrier_id]
    return [card for card in cards if card.carrier.state == CarrierState.IN_STOCK]


@transaction.atomic(durable=True)
def set_level(*, actor: Actor, office_id: UUID, least: int | None) -> None:
    """Sets the number of cards below which the office is short; None ends the alarm. Raises NotFound, Forbidden, Invalid."""
    office = policy.get(actor, Action.KEEP_STOCK, Office.objects.select_for_update(of=("self",), no_key=True), office_id)
    if least is not None and not 0 <= least <= HIGHEST_LEVEL:
        message = f"Ange ett antal från 0 till {HIGHEST_LEVEL}, eller lämna fältet tomt."
        raise Invalid("level", message, fields={"least": [message]})
    before = StockLevel.objects.filter(office=office).values_list("least", flat=True).first()
    if (before or 0) == (least or 0):
        return
    StockLevel.objects.update_or_create(office=office, defaults={"least": least or 0})
    offices.record(actor, "office.stock_level_set", office.pk, before={"stock_level": before}, after={"stock_level": least})
