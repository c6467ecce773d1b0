"""An organisation is ended when nothing that lives hangs on it, and may be taken up again (ADR 0222)."""

from dataclasses import dataclass
from typing import cast
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from issuance.articles.services.fees import end_fee
from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import carrier_states
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, Eid
from issuance.customisations.services.customisations import answer_request
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.moving import disconnect_offices
from issuance.organisations.services.tree import lock_tree
from issuance.records.services.editing import edit, lines
from issuance.roles.models.grants import RoleGrant
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid

REASON_LIMIT = 500

_ENDED_CARRIERS = [state.value for state in carrier_states.INVALID]
_LIVE_EIDS = [EidState.ORDERED.value, EidState.ACTIVE.value]
_LIVE_ORDERS = [state.value for state in (OrderState.QUEUED, OrderState.ACCEPTED, OrderState.IN_PRODUCTION, OrderState.PRODUCED)]


@dataclass(frozen=True)
class Hindrances:
    """What stands against ending an organisation, each True where it does."""

    issuing: bool
    sub_organisations: bool
    orders: bool
    cards: bool
    roles: bool

    @property
    def any(self) -> bool:
        """Whether something does."""
        return any(vars(self).values())


def hindrances(organisation_id: UUID) -> Hindrances:
    """What stands against ending an organisation. Nothing is counted: a number would tell of protected persons. One query."""
    this = OuterRef("pk")
    asked = {
        "issuing": IssuingArea.objects.filter(issuing_organisation=this),
        "sub_organisations": Organisation.objects.filter(parent=this, closed_at=None),
        "orders": CardOrder.objects.filter(organisation=this, state__in=_LIVE_ORDERS),
        "carriers": Carrier.objects.filter(organisation=this).exclude(state__in=_ENDED_CARRIERS),
        "eids": Eid.objects.filter(organisation=this, state__in=_LIVE_EIDS),
        "roles": RoleGrant.objects.filter(Q(valid_to=None) | Q(valid_to__gt=clock.now()), organisation=this),
    }
    rows = Organisation.objects.filter(pk=organisation_id)
    found = cast(dict[str, bool], rows.values(**{f"has_{name}": Exists(query) for name, query in asked.items()}).get())
    return Hindrances(
        issuing=found["has_issuing"],
        sub_organisations=found["has_sub_organisations"],
        orders=found["has_orders"],
        cards=found["has_carriers"] or found["has_eids"],
        roles=found["has_roles"],
    )


@transaction.atomic(durable=True)
def end_organisation(*, actor: Actor, organisation_id: UUID, reason: str) -> Organisation:
    """Ends an organisation: nobody chooses, connects or orders in it any more, its offices are disconnected, and its fee ends
    today. Its history, its HSA-id and what was invoiced stay. An ended one stays as it is.

    Who may make an organisation in its place may end it. Raises NotFound, Forbidden, Invalid without a reason, Conflict while
    something that lives hangs on it.
    """
    row = _locked(actor, organisation_id)
    reason = lines(reason, "reason", longest=REASON_LIMIT)
    if not reason:
        message = "Skriv varför organisationen avslutas."
        raise Invalid("reason", message, fields={"reason": [message]})
    if row.closed_at is not None:
        return row
    if hindrances(row.id).any:
        raise Conflict("organisation-in-use", "Organisationen används fortfarande. Ta först hand om det som står på sidan.")
    disconnect_offices(row, actor)
    answer_request(actor, row)
    if row.parent_id is None:
        end_fee(actor=actor, organisation=row)
    edit(
        row, version=row.version, changes={"closed_at": clock.now()}, actor=actor, action="organisation.closed",
        facts={"reason": reason},
    )  # fmt: skip
    return row


@transaction.atomic(durable=True)
def reopen_organisation(*, actor: Actor, organisation_id: UUID) -> Organisation:
    """Takes an ended organisation up again where it was, without offices and fee, which are set anew. A living one stays.

    Raises NotFound, Forbidden, Conflict while the organisation above it is ended.
    """
    row = _locked(actor, organisation_id)
    if row.closed_at is not None:
        edit(row, version=row.version, changes={"closed_at": None}, actor=actor, action="organisation.reopened")
    return row


def _locked(actor: Actor, organisation_id: UUID) -> Organisation:
    """The row, with the tree, so that nothing comes below it meanwhile; the actor may make organisations where it lies."""
    lock_tree()
    rows = Organisation.objects.select_for_update(of=("self",)).select_related("area", "parent")
    row = policy.get(actor, Action.VIEW_CONFIGURATION, rows, organisation_id)
    require_place(actor, row)
    return row


def require_place(actor: Actor, row: Organisation) -> None:
    """Passes if the actor may make organisations in the place of this one, whose area and parent are read.

    Raises Forbidden, and Conflict where the organisation above is ended.
    """
    if row.parent is not None and row.parent.closed_at is not None:
        raise Conflict("parent-ended", "Organisationen ovanför är avslutad. Återuppta den först.")
    place, action = (row.parent, Action.CREATE_SUB_ORGANISATION) if row.parent else (row.area, Action.CREATE_ORGANISATION)
    if not policy.may(actor, action, place):
        raise Forbidden("forbidden", "Din behörighetsroll tillåter inte åtgärden.")
