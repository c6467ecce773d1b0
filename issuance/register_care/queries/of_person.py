"""The open rows of work about a person, for the person's page."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from issuance.authz import Action, Actor, policy
from issuance.register_care.domain import kinds
from issuance.register_care.domain.kinds import About, WorkKind
from issuance.register_care.domain.states import WorkState
from issuance.register_care.models import WorkItem
from issuance.register_care.services import deciding
from siths_portal.lib.database.prepared import prepared

MOST = 10


def rows(actor: Actor, person_id: UUID) -> Sequence[dict[str, Any]]:
    """Returns the rows about the person that are open, those that are due first on top, as `components/row.html` draws them.
    Kinds that the page tells of by itself, as its next step, are left out, and rows whose card is taken care of already. One
    query, none without the right.
    """
    if not policy.holds(actor, Action.KEEP_REGISTER):
        return []
    return [
        {
            "title": _(kinds.kind_of(code).name),
            "url": reverse("work_item", args=[pk]),
            "text": _(kinds.kind_of(code).lead),
            "icon": "list",
            "tag": _("Senast {day}").format(day=due),
            "tag_kind": "due",
            **_act(actor, kinds.kind_of(code), ids),
        }
        for pk, code, due, *ids in _open(actor, person_id)
    ]


_COLUMNS = ("person_id", "carrier_id", "order_id", "office_id", "organisation_id")


def _act(actor: Actor, kind: WorkKind, ids: Sequence[UUID | None]) -> dict[str, str]:
    """Returns the act that removes the cause, unless it is to open the person's page; then the row of work is the act."""
    known = dict(zip(_COLUMNS, ids, strict=True))
    for act in kind.acts:
        if act.page != "person" and known[act.of] and policy.holds(actor, act.right):
            return {"action": _(act.text), "action_url": reverse(act.page, args=[known[act.of]])}
    return {"action": _("Visa raden")}


@prepared
def _open(actor: Actor, person_id: UUID) -> QuerySet[WorkItem, Any]:
    found = deciding.kept_by(actor).filter(_unsettled(), person=person_id, state=WorkState.OPEN.value)
    return found.order_by("due", "pk").values_list("pk", "kind", "due", *_COLUMNS)[:MOST]


def _unsettled() -> Q:
    """The condition that the row is of a kind to show and that `WorkKind.is_settled` is False."""
    shown = [kind for kind in kinds.all_kinds() if kind.on_day]
    found = Q(kind__in=[kind.code for kind in shown if kind.about is not About.CARD])
    for kind in shown:
        if kind.about is About.CARD:
            found |= Q(kind=kind.code) & (Q(carrier=None) | Q(carrier__state__in=sorted(kind.card_states)))
    return found
