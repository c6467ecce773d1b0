"""Whose stock an actor may keep, and the cards that an act names: the first step of every act on stock."""

from collections.abc import Collection, Sequence
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier
from issuance.offices.models import Office
from issuance.records.models.events import Event
from issuance.stock.domain import LONGEST_LIST, Scanned, scanned
from issuance.stock.models import StockCard
from siths_portal.lib.errors import Invalid

SHOWN_LINES = 10
"""How many wrong lines an error names."""


def require_office(actor: Actor, office_id: UUID | str) -> Office:
    """Returns the office if the actor may keep its stock: in an own area, or connected to an organisation in the actor's scope.
    Raises NotFound, Forbidden.
    """
    return policy.get(actor, Action.KEEP_STOCK, Office.objects, office_id)


def read(text: str) -> Scanned:
    """Returns the serial numbers in a text that a clerk scanned. Raises Invalid at `serials`, by line, never with a number."""
    found = scanned(text)
    if found.wrong:
        raise wrong("serial-malformed", f"Ett kortserienummer har 19 siffror. Rätta {lines_text(found.wrong)}.")
    if not found.lines:
        raise wrong("serials-missing", "Skanna korten, ett nummer på varje rad.")
    if len(found.lines) > LONGEST_LIST:
        raise wrong("serials-too-many", f"Skanna högst {LONGEST_LIST} kort åt gången.")
    return found


def wrong(code: str, message: str) -> Invalid:
    """Returns an error at the field of scanned serial numbers."""
    return Invalid(code, message, fields={"serials": [message]})


def lines_text(numbers: Sequence[int]) -> str:
    """Returns line numbers in words, the first ones if there are many."""
    listed = ", ".join(str(number) for number in sorted(numbers)[:SHOWN_LINES])
    more = f" och {len(numbers) - SHOWN_LINES} till" if len(numbers) > SHOWN_LINES else ""
    return f"rad {listed}{more}"


def lock_carriers(carrier_ids: Collection[UUID]) -> dict[UUID, Carrier]:
    """Locks carriers before their stock cards, in the lock order of `records.services.steps`, and returns them by id."""
    rows = Carrier.objects.select_for_update(of=("self",), no_key=True).defer("card_key_spki").filter(pk__in=carrier_ids)
    return {row.pk: row for row in rows.order_by("pk")}


def lock_cards(carrier_ids: Collection[UUID]) -> list[StockCard]:
    """Locks and returns the stock cards of locked carriers."""
    rows = StockCard.objects.select_for_update(of=("self",), no_key=True).filter(carrier__in=carrier_ids)
    return list(rows.order_by("carrier_id"))


def record(actor: Actor, action: str, office_id: UUID, **facts: object) -> None:
    """Records what happened to the stock of an office, for the office's history."""
    Event.record(actor_ref=actor.ref, action=action, subject_type="office", subject_ref=str(office_id), facts=facts)
