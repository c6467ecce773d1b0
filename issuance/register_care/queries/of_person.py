"""The open rows of work about a person, for the person's page."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from issuance.authz import Action, Actor, policy
from issuance.register_care.domain import kinds
from issuance.register_care.domain.states import WorkState
from issuance.register_care.models import WorkItem
from issuance.register_care.services import deciding
from siths_portal.lib.database.prepared import prepared

MOST = 10


def rows(actor: Actor, person_id: UUID) -> Sequence[dict[str, Any]]:
    """Returns the rows about the person that are open, those that are due first on top, as `components/row.html` draws them.
    Kinds that the page tells of by itself, as its next step, are left out. One query, none without the right.
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
        }
        for pk, code, due in _open(actor, person_id)
    ]


@prepared
def _open(actor: Actor, person_id: UUID) -> QuerySet[WorkItem, Any]:
    told = [kind.code for kind in kinds.all_kinds() if kind.on_day]
    found = deciding.kept_by(actor).filter(person=person_id, state=WorkState.OPEN.value, kind__in=told)
    return found.order_by("due", "pk").values_list("pk", "kind", "due")[:MOST]
