"""The hand-outs to a person that wait for a second officer, for the person's page."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from issuance.authz import Action, Actor, policy
from issuance.people.queries import officers
from issuance.reserve_cards.domain import RIGHTS, IssueState
from issuance.reserve_cards.models import ReserveCardIssue
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared


def rows(actor: Actor, person_id: UUID) -> Sequence[dict[str, Any]]:
    """Returns the hand-outs as `components/row.html` draws them: who began each, and where it waits. It leads to the queue if the
    actor may approve. One query, none without a right to hand out or approve.
    """
    approves = policy.holds(actor, Action.APPROVE_RESERVE_CARD)
    if not approves and not any(policy.holds(actor, right) for right in RIGHTS.values()):
        return []
    found = _waiting(actor, person_id)
    who = officers.names(actor, {ref for ref, _since, _until in found})
    return [
        {
            "title": _("Ett reservkort på tillitsnivå 3 väntar på en andra person"),
            "url": reverse("reserve_cards_waiting") if approves else "",
            "text": _("{who} började utlämningen kl. {since}. Den väntar på sidan Reservkort till kl. {until}.").format(
                who=_("Du") if ref == actor.ref else who.get(ref, officers.unknown()), since=_time(since), until=_time(until)
            ),
            "icon": "cards",
        }
        for ref, since, until in found
    ]


def _time(moment: dt.datetime) -> str:
    return f"{moment.astimezone(clock.STOCKHOLM):%H:%M}"


@prepared
def _waiting(actor: Actor, person_id: UUID) -> QuerySet[ReserveCardIssue, Any]:
    seen = ReserveCardIssue.objects.visible_to(actor).filter(person=person_id, state=IssueState.WAITING.value)
    found = seen.filter(waiting_until__gt=clock.now()).order_by("waiting_until", "pk")
    return found.values_list("officer_ref", "waiting_since", "waiting_until")
