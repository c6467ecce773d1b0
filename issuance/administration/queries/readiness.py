"""What an organisation, or the organisations of an area, still lack before cards can be ordered in them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q

from issuance.administration.ports import InvoiceReadiness
from issuance.authz import Action, Actor, Role
from issuance.authz.roles import ALLOWED, ORGANISATION_ROLES
from issuance.customisations.models import CardCustomisation, CustomisationRequest
from issuance.customisations.services.customisations import missing
from issuance.customisations.services.effective import prints
from issuance.offices.models import Office
from issuance.orders.services import order_checks
from issuance.organisations.models import Organisation
from issuance.organisations.queries.places import paths_above
from issuance.roles.services.actors import issuing_in
from siths_portal.lib import ports

_CLERKS = [role.value for role in Role if role in ORGANISATION_ROLES and Action.ORDER_ORDINARY_CARD in ALLOWED[role]]


@dataclass(frozen=True)
class Lacking:
    """The number of organisations that lack something, and the one highest in the tree; the oldest if there are several.
    `first` is None if no organisation lacks it.
    """

    count: int = 0
    first: UUID | None = None


@dataclass(frozen=True)
class Unready:
    """A card customisation that is in use by `organisations` organisations but blocks card production.

    `missing` holds the parts that it lacks (`customisations.services.customisations.PARTS`); it is empty if only verification
    is missing. A `pending` one blocks no cards, because the present one applies until it is verified (ADR 0189).
    """

    id: UUID
    generic: bool
    missing: tuple[str, ...]
    organisations: int
    pending: bool = False


@dataclass(frozen=True)
class AreaLacks:
    """What the organisations of an area lack for ordering (`orders.services.order_checks`).

    Organisations inherit a card customisation and people who order from those above. `unready` holds customisations in use that
    are not ready, `pending` those that will replace the present one. `requested` is True if an organisation without a
    customisation has an open request for one. `offered` holds the codes of articles that at least one organisation may order
    today.
    """

    offices: Lacking
    articles: Lacking
    customisations: Lacking
    unready: tuple[Unready, ...]
    pending: tuple[Unready, ...]
    clerks: Lacking
    requested: bool
    offered: frozenset[str]


def of_area(*, actor: Actor, area_id: UUID) -> AreaLacks:
    """Returns the gaps of the area's organisations that the actor sees, without closed ones. Always runs two queries. Roles
    that order count even if the actor may not see their holders.
    """
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id, closed_at=None)
    offered = order_checks.offers().filter(organisation=OuterRef("pk"))
    connected = order_checks.open_connections().filter(organisation=OuterRef("pk"))
    open_requests = CustomisationRequest.objects.filter(organisation=OuterRef("pk"), answered_at=None)
    codes = ArraySubquery(offered.order_by().values("article"))
    annotated = rows.annotate(offered_codes=codes, has_offices=Exists(connected), has_request=Exists(open_requests)).order_by()
    columns = [f"{relation}__{name}" for relation in ("customisation", "pending_customisation") for name in _DRAWING]
    found = []
    waits = []
    drawn: dict[str, CardCustomisation] = {}
    for read in annotated.values_list(*_PLACE, *columns):
        row = _CheckedPlace(*read[: len(_PLACE)])
        present, pending = (_card(each) for each in batched(read[len(_PLACE) :], len(_DRAWING)))
        found.append(row)
        if present is not None:
            drawn[row.path] = present
        if pending is not None:
            waits.append(pending)
    without = [row for row in found if not is_under(row.path, drawn)]
    served = issuing_in(Q(organisation__area=area_id, role__in=_CLERKS)) if found else set()
    return AreaLacks(
        offices=_lacking(row for row in found if not row.has_offices),
        articles=_lacking(row for row in found if not row.offered_codes),
        customisations=_lacking(without),
        unready=_unready(found, drawn),
        pending=tuple(unready(card, pending=True) for card in waits),
        clerks=_lacking(row for row in found if not is_under(row.path, served)),
        requested=any(row.has_request for row in without),
        offered=frozenset(code for row in found for code in row.offered_codes),
    )


def is_under(path: str, places: Collection[str]) -> bool:
    """Returns whether the organisation with this path, or one above it, is among `places`, which are paths too."""
    return path in places or any(above in places for above in paths_above(path))


_PLACE = ("pk", "scope_path", "offered_codes", "has_offices", "has_request")
_DRAWING = ("id", "generic", "verified_at", "issuer_number", "back_text", "logotype_id", "supplier_ref")


def _card(values: Sequence[Any]) -> CardCustomisation | None:
    """Returns the customisation with these values of `_DRAWING`, or None for a row without one."""
    return CardCustomisation(**dict(zip(_DRAWING, values, strict=True))) if values[0] is not None else None


class _CheckedPlace(NamedTuple):
    id: UUID
    path: str
    offered_codes: list[str]
    has_offices: bool
    has_request: bool


def _lacking(rows: Iterable[_CheckedPlace]) -> Lacking:
    found = [(row.path.count("/"), row.id) for row in rows]
    return Lacking(len(found), min(found)[1] if found else None)


def _unready(rows: Iterable[_CheckedPlace], drawn: Mapping[str, CardCustomisation]) -> tuple[Unready, ...]:
    """Returns the customisations that apply to the rows, own or inherited, and are not ready; the one of most organisations
    first.
    """
    held: Counter[UUID] = Counter()
    cards = {card.pk: card for card in drawn.values()}
    for row in rows:
        nearest = next((path for path in (row.path, *reversed(paths_above(row.path))) if path in drawn), None)
        if nearest is not None:
            held[drawn[nearest].pk] += 1
    return tuple(unready(cards[pk], count) for pk, count in held.most_common() if not prints(cards[pk]))


def unready(card: CardCustomisation, organisations: int = 1, *, pending: bool = False) -> Unready:
    """Returns what an unready customisation lacks."""
    return Unready(card.pk, card.generic, missing(card), organisations, pending)


def may_verify(*, actor: Actor, customisation_id: UUID) -> bool:
    """Returns whether the actor may verify the customisation, as that of their own organisation or of one above that they set
    up.
    """
    rows = CardCustomisation.objects.visible_to(actor, Action.VERIFY_CUSTOMISATION, pk=customisation_id)
    return rows.filter(generic=False).exists()


def to_verify(*, actor: Actor) -> int:
    """Returns the number of complete customisations of open organisations that wait for the actor's verification."""
    has = Organisation.objects.filter(Q(customisation=OuterRef("pk")) | Q(pending_customisation=OuterRef("pk")), closed_at=None)
    rows = CardCustomisation.objects.visible_to(actor, Action.VERIFY_CUSTOMISATION).filter(verified_at=None, generic=False)
    return sum(
        not missing(row) for row in rows.filter(Exists(has)).only("logotype_id", "issuer_number", "back_text", "supplier_ref")
    )


def has_offices(organisation_id: UUID) -> bool:
    """Returns whether an open office is connected to the organisation."""
    return order_checks.open_connections().filter(organisation=organisation_id).exists()


def area_has_offices(area_id: UUID) -> bool:
    """Returns whether the area has an open office, for users who connect its offices (ADR 0183)."""
    return Office.objects.filter(area=area_id, closed_at=None).exists()


def has_articles(organisation_id: UUID) -> bool:
    """Returns whether at least one article may be ordered in the organisation today."""
    return order_checks.offers().filter(organisation=organisation_id).exists()


def has_clerks(organisation_id: UUID) -> bool:
    """Returns whether a role below the responsible issuer, in the organisation or one above it, may order cards in it now."""
    path = Organisation.objects.values_list("scope_path", flat=True).get(pk=organisation_id)
    return bool(issuing_in(Q(organisation__scope_path__in=[path, *paths_above(path)], role__in=_CLERKS)))


def invoice_obstacles(party_id: UUID, article_codes: Collection[str]) -> tuple[str, ...]:
    """Returns the obstacles to invoicing a party today, if it orders these articles."""
    return tuple(ports.get(InvoiceReadiness).invoice_obstacles(party_id, article_codes))
