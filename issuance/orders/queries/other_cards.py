"""The person's other ordinary cards, existing or ordered, for the page of an order (ADR 0085)."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from issuance.authz import Actor
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, Eid
from issuance.orders.models.orders import OrderItem
from issuance.orders.services import other_cards as services
from issuance.people.queries import officers
from issuance.records.domain import wording
from issuance.records.queries import words
from siths_portal.lib.database.prepared import prepared


@dataclass(frozen=True)
class OtherCard:
    """A card that is not invalid. `has_eid` means that a SITHS eID on it is ordered or valid. `valid_to` is its last day.
    `ordered_by` is empty for a card that was not ordered here.
    """

    id: UUID
    name: str
    state: str
    has_eid: bool
    organisation: str
    ordered_at: dt.datetime
    ordered_by: str
    sent_at: dt.datetime | None
    activated_at: dt.datetime | None
    valid_to: dt.date | None


def other_cards(*, actor: Actor, person_id: UUID) -> list[OtherCard]:
    """Returns the cards that the actor sees, the newest first. Cards out of scope are left out."""
    rows = _cards(actor, person_id)
    ordered = dict(_orderers([row.id for row in rows]))
    names = officers.names(actor, ordered.values())
    return [
        OtherCard(
            id=row.id,
            name=_name(row),
            state=row.state,
            has_eid=row.has_eid,  # type: ignore[attr-defined]
            organisation=row.organisation.name,
            ordered_at=row.created_at,
            ordered_by=names.get(ordered.get(row.id, ""), ""),
            sent_at=row.sent_at,
            activated_at=row.activated_at,
            valid_to=wording.last_day(row.valid_to),
        )
        for row in rows
    ]


@prepared
def _cards(actor: Actor, person_id: UUID) -> QuerySet[Carrier]:
    eids = Eid.objects.filter(carrier=OuterRef("pk"), state__in=[EidState.ORDERED.value, EidState.ACTIVE.value])
    rows = services.other_cards(actor=actor, person_id=person_id).select_related("organisation").annotate(has_eid=Exists(eids))
    return rows.defer("card_key_spki").order_by("-created_at", "-id")


@prepared
def _orderers(carrier_ids: list[UUID]) -> QuerySet[OrderItem, Any]:
    return OrderItem.objects.filter(carrier__in=carrier_ids).values_list("carrier", "order__ordered_by_ref")


def _name(row: Carrier) -> str:
    if not row.card_serial:
        return _("{kind} utan serienummer än").format(kind=words.carrier_kind(row.kind))
    return _("{kind} som slutar på {ending}").format(kind=words.carrier_kind(row.kind), ending=row.card_serial[-4:])
