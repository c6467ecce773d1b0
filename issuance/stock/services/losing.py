"""A lost parcel of reserve cards: cards of a bundle are written off and revoked in one act (rules/issuance 3.13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from issuance.authz import Actor
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder
from issuance.records.services import steps
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.revocation.services.revocation import RevocationRequest
from issuance.stock.domain import HELD, LostPart, StockAction, StockState
from issuance.stock.models import StockCard
from issuance.stock.services import offices, receiving
from siths_portal.lib.errors import Conflict, Invalid

_SENT, _ANY = (CarrierState.SENT.value,), (CarrierState.SENT.value, CarrierState.IN_STOCK.value)
_STATES = {LostPart.NOT_ARRIVED: _SENT, LostPart.EVERYTHING: _ANY, LostPart.SCANNED: _ANY}
"""The states of the carriers of each part. A sent card has not come to its office, also if it was reported missing."""


@dataclass(frozen=True)
class Lost:
    """How many cards were written off. `waits` means that their revocation waits for a second officer (ADR 0297)."""

    cards: int
    waits: bool


def losable(order: CardOrder, part: LostPart) -> QuerySet[Carrier]:
    """Returns the cards of a bundle that can be reported lost: sent, and neither handed out nor written off. `part` limits them;
    for scanned cards the caller does.
    """
    return Carrier.objects.filter(Q(stock=None) | Q(stock__state__in=HELD), item__order=order, state__in=_STATES[part])


@transaction.atomic(durable=True)
def lose_bundle(
    *, actor: Actor, order_id: UUID, part: str, serials: str = "", expected: int | None, justification: str = ""
) -> Lost:
    """Writes off cards of a bundle and revokes them at one moment, each with its own events; all or none.

    `part` is a `LostPart`; `serials` are the scanned cards of the last one. `expected` is the number of cards that the officer
    confirmed. Above the officer's limit the cards leave the stock, and their revocation waits as one request for a second
    officer. Raises NotFound, Forbidden, Conflict if there is nothing to lose, and Invalid at `part`, `serials`, `confirm` or
    `justification`.
    """
    order = receiving.bundle_of(actor, order_id)
    carriers = _locked(order, _part(part), serials)
    if not carriers:
        raise Conflict(
            "nothing-to-lose", "Inget kort kan rapporteras förlorat. Korten är utlämnade, spärrade eller inte skickade."
        )
    if expected != len(carriers):
        message = f"Det är {len(carriers)} kort som spärras. Kontrollera valet och skriv antalet."
        raise Invalid("lost-number", message, fields={"confirm": [message]})
    request = RevocationRequest(RevocationReason.LOST_OR_STOLEN.value, justification=justification.strip())
    _write_off(actor, order, carriers)
    held = revocation.revoke_all_allowed(carriers, actor=actor, request=request)
    offices.record(actor, "office.stock_lost", order.office_id, order=str(order.pk), stock_quantity=len(carriers))
    return Lost(len(carriers), waits=bool(held))


def _part(part: str) -> LostPart:
    if part not in LostPart:
        message = "Välj vilka kort som är förlorade."
        raise Invalid("unknown-part", message, fields={"part": [message]})
    return LostPart(part)


def _locked(order: CardOrder, part: LostPart, serials: str) -> list[Carrier]:
    """Locks and returns the cards of the part, which can be lost under the locks. Raises Invalid at `serials`."""
    wanted = losable(order, part)
    found = offices.read(serials) if part is LostPart.SCANNED else None
    if found:
        wanted = wanted.filter(card_serial__in=found.serials)
    locked = offices.lock_carriers(list(wanted.values_list("pk", flat=True)))
    written_off = {card.carrier_id for card in offices.lock_cards(locked) if card.state not in HELD}
    states = _STATES[part]
    carriers = [row for row in locked.values() if row.state in states and row.pk not in written_off]
    known = {row.card_serial for row in carriers}
    if found and (foreign := [line for serial, line in found.lines.items() if serial not in known]):
        lines = offices.lines_text(foreign)
        message = f"Kortet hör inte till bunten, eller kan inte rapporteras förlorat: {lines}. Inget är spärrat."
        raise offices.wrong("serial-not-losable", message)
    return carriers


def _write_off(actor: Actor, order: CardOrder, carriers: Sequence[Carrier]) -> None:
    """Takes the cards out of the stock, so that none can be handed out. A card that never came gets its first row."""
    facts = {"order": str(order.pk), "office": str(order.office_id)}
    cards = offices.lock_cards([row.pk for row in carriers])
    known = {card.carrier_id for card in cards}
    new = [
        StockCard(carrier=row, office_id=order.office_id, valid_to=row.valid_to, state=StockState.LOST.value)
        for row in carriers
        if row.pk not in known
    ]
    steps.begin(new, StockAction.LOSE.value, actor_ref=actor.ref, facts=facts)
    steps.step(cards, StockAction.LOSE, actor_ref=actor.ref, facts=facts)
