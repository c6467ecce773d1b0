"""What officers decide about rows of work: they take them on, postpone or finish them with a reason, and open them again.

Every act takes many rows, all or none, and checks the scope of each row inside its transaction (S11).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from issuance.authz import Action, Actor, policy
from issuance.records.services import steps
from issuance.register_care.domain.states import LONGEST_DELAY, LONGEST_REASON, MOST_AT_ONCE, WorkAction, WorkState
from issuance.register_care.models import WorkItem
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid

_DECIDED = {WorkAction.POSTPONE: WorkState.POSTPONED, WorkAction.FINISH: WorkState.DONE}


def kept_by(actor: Actor) -> QuerySet[WorkItem]:
    """Returns the rows of work that the actor may decide about: those in scope, never about the actor."""
    return not_about(actor, WorkItem.objects.visible_to(actor, Action.KEEP_REGISTER))


def not_about(actor: Actor, rows: QuerySet[WorkItem]) -> QuerySet[WorkItem]:
    """Returns the rows that are not about the actor."""
    return rows.exclude(person=actor.own_id)


@transaction.atomic(durable=True)
def take_on(*, actor: Actor, item_ids: Sequence[UUID]) -> int:
    """Makes the actor responsible for the rows. Returns how many. A second click changes nothing (S33).

    Raises NotFound, Forbidden, Invalid, IllegalTransition.
    """
    rows = locked(actor, item_ids)
    new = [row for row in rows if row.assignee_ref != actor.ref or row.state == WorkState.DONE]
    steps.step(new, WorkAction.ASSIGN, actor_ref=actor.ref, assignee_ref=actor.ref)
    return len(rows)


@transaction.atomic(durable=True)
def postpone(*, actor: Actor, item_ids: Sequence[UUID], until: dt.date | None, reason: str) -> int:
    """Hides the rows until the morning of `until`. Returns how many. Raises as `take_on`, and Invalid at `until` or `reason`."""
    today = clock.today()
    wrong = _wrong_reason(reason)
    if until is None or not today < until <= today + dt.timedelta(days=LONGEST_DELAY):
        wrong["until"] = [f"Välj en dag efter i dag och högst {LONGEST_DELAY} dagar fram."]
    _refuse(wrong)
    return _decide(actor, item_ids, WorkAction.POSTPONE, reason, {"until": str(until)}, postponed_until=until)


@transaction.atomic(durable=True)
def finish(*, actor: Actor, item_ids: Sequence[UUID], reason: str) -> int:
    """Closes the rows though their cause stands, for the reason given. Returns how many. Raises as `postpone`."""
    _refuse(_wrong_reason(reason))
    return _decide(actor, item_ids, WorkAction.FINISH, reason, {}, postponed_until=None)


@transaction.atomic(durable=True)
def reopen(*, actor: Actor, item_ids: Sequence[UUID]) -> int:
    """Opens rows again that were postponed or finished. Returns how many. Raises as `take_on`."""
    rows = locked(actor, item_ids)
    steps.step(rows, WorkAction.REOPEN, actor_ref=actor.ref, postponed_until=None)
    return len(rows)


def locked(actor: Actor, item_ids: Sequence[UUID]) -> list[WorkItem]:
    """Locks and returns the rows, in the caller's transaction. Raises Invalid for none or too many, Forbidden without the right,
    NotFound if the actor may not decide about one of them.
    """
    policy.reach(actor, Action.KEEP_REGISTER)
    wanted = set(item_ids)
    if not wanted:
        raise _at_rows("rows-missing", "Kryssa i minst en rad.")
    if len(wanted) > MOST_AT_ONCE:
        raise _at_rows("rows-too-many", f"Kryssa i högst {MOST_AT_ONCE} rader åt gången.")
    rows = kept_by(actor).select_for_update(of=("self",), no_key=True).filter(pk__in=wanted).order_by("pk")
    found = list(rows)
    if len(found) < len(wanted):
        raise policy.not_found()
    return found


def _decide(
    actor: Actor, item_ids: Sequence[UUID], action: WorkAction, reason: str, facts: Mapping[str, str], **changes: Any
) -> int:
    rows = locked(actor, item_ids)
    decided = changes | {"reason": reason.strip(), "decided_by_ref": actor.ref, "state": _DECIDED[action].value}
    # A second click decides the same again and changes nothing (S33).
    new = [row for row in rows if any(getattr(row, name) != value for name, value in decided.items())]
    steps.step(
        new,
        action,
        actor_ref=actor.ref,
        facts={"justification": reason.strip(), **facts},
        reason=reason.strip(),
        decided_by_ref=actor.ref,
        decided_at=clock.now(),
        **changes,
    )
    return len(rows)


def _wrong_reason(reason: str) -> dict[str, list[str]]:
    if not reason.strip():
        return {"reason": ["Skriv skälet, så att en kollega förstår det."]}
    return {"reason": [f"Skälet får vara högst {LONGEST_REASON} tecken."]} if len(reason) > LONGEST_REASON else {}


def _refuse(wrong: Mapping[str, list[str]]) -> None:
    if wrong:
        raise Invalid("decision", next(iter(wrong.values()))[0], fields=wrong)


def _at_rows(code: str, message: str) -> Invalid:
    return Invalid(code, message, fields={"rows": [message]})
