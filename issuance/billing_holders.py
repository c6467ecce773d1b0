"""People behind ids that billing keeps: holders of counted eIDs by the right to issue, cards of orders by the right to view."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import batched
from typing import Any
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import kinds
from issuance.carriers.models import Carrier, Eid
from issuance.organisations.models import Organisation
from issuance.people.services import disclosures

_RIGHT = Action.ORDER_ORDINARY_CARD
_CHUNK = 5000


@dataclass(frozen=True)
class EidHolder:
    """The holder of an eID, by surname first, with the assignment that the eID is for."""

    person_id: UUID
    name: str
    hsa_id: str
    organisation: str


@dataclass(frozen=True)
class OrderedCard:
    """The card of an order that has a holder, for the address of its page."""

    person_id: UUID
    carrier_id: UUID


def ordered_cards(actor: Actor, order_ids: Collection[UUID]) -> dict[UUID, OrderedCard]:
    """Returns the cards of those orders whose card `actor` may see, by order. Shows no name; the person's page records that."""
    seen = Carrier.objects.visible_to(actor).filter(item__order__in=order_ids, person__isnull=False).order_by("item__number")
    return {order: OrderedCard(person, pk) for order, person, pk in seen.values_list("item__order", "person", "pk")}


def eid_carriers(eid_ids: Collection[UUID]) -> dict[UUID, str]:
    """Returns the Swedish name of the kind of carrier of each eID. Shows nothing of its holder, so it needs no right."""
    found = {}
    for part in batched(eid_ids, _CHUNK, strict=False):
        for pk, kind in Eid.objects.filter(pk__in=part).values_list("pk", "carrier__kind"):
            found[pk] = kinds.kind_of(kind).name
    return found


def may_name_holders(actor: Actor, organisation_id: UUID) -> bool:
    """Returns whether a role of the actor issues in the organisation, and may therefore see who its holders are."""
    return Organisation.objects.visible_to(actor, _RIGHT, pk=organisation_id).exists()


def require_naming_holders(actor: Actor, organisation_id: UUID) -> None:
    """Raises NotFound or Forbidden unless `may_name_holders`."""
    policy.get(actor, _RIGHT, Organisation.objects, organisation_id)


def eid_holders(actor: Actor, eid_ids: Collection[UUID]) -> dict[UUID, EidHolder]:
    """Returns the holders of those eIDs that a role of the actor may issue: protected persons only with the add-on there.

    The caller records the disclosure, with `record_named_holders` or `record_named_holders_file`, before it shows them.
    """
    found = {}
    for part in batched(eid_ids, _CHUNK, strict=False):
        rows = Eid.objects.visible_to(actor, _RIGHT).filter(pk__in=part).select_related("carrier__person", "organisation")
        for row in rows:
            holder = row.carrier.holder
            found[row.pk] = EidHolder(holder.pk, holder.sort_name, row.hsa_id, row.organisation.name)
    return found


def record_named_holders(actor: Actor, organisation_id: UUID, holders: Collection[EidHolder], chosen: Mapping[str, Any]) -> None:
    """Records that `actor` will see these holders. `chosen` says what lists them, for example an invoice's line."""
    person_ids = [holder.person_id for holder in holders]
    disclosures.record_holders(actor=actor, organisation_id=organisation_id, person_ids=person_ids, chosen=chosen)


def record_named_holders_file(actor: Actor, organisation_id: UUID, rows: int, chosen: Mapping[str, Any]) -> None:
    """Records that `actor` will download such a list of holders, with the number of rows."""
    disclosures.record_holders_file(actor=actor, organisation_id=organisation_id, rows=rows, chosen=chosen)
