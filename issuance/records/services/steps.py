"""The only code that changes a state: by a transition table, with the next `seq` and one event, in the caller's transaction.

Callers lock rows first, in this order: person, carrier, its eIDs by id, order, eID app transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from issuance.records.models.events import Event
from issuance.records.models.stateful import Stateful
from siths_portal.lib import clock
from siths_portal.lib.errors import IllegalTransition

_BATCH = 500


def begin(
    rows: Sequence[Stateful], event: str, *, actor_ref: str, facts: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]]
) -> None:
    """Inserts new rows of one model with their first event (`<subject>.<event>`), which has `subject_seq` 1."""
    for row in rows:
        row.seq = 1
    if rows:
        type(rows[0])._default_manager.bulk_create(rows, batch_size=_BATCH)
        _record(rows, event, actor_ref=actor_ref, facts=facts, before={})


def step(
    rows: Sequence[Stateful],
    action: StrEnum,
    *,
    actor_ref: str,
    facts: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]] | None = None,
    **changes: Any,
) -> None:
    """Applies `action` and `changes` to all the locked rows of one model, or to none.

    Raises IllegalTransition before anything is written if the table does not allow `action` in the state of some row.
    """
    if not rows:
        return
    model: type[Stateful] = type(rows[0])
    before = {row.pk: row.state for row in rows}
    after = {}
    for row in rows:
        try:
            after[row.pk] = row.transitions[model.states(row.state), action]
        except KeyError:
            changed = f"{model.swedish} har fått en annan status"
            raise IllegalTransition(
                f"{model.subject}-{row.state.replace('_', '-')}",
                f"{changed}. Ladda om sidan och se vad du kan göra nu.",
                api_message=f"{changed}, så åtgärden gick inte att göra.",
            ) from None
    for row in rows:
        row.state, row.seq = after[row.pk].value, row.seq + 1
        row._state_as_loaded = row.state
        for field, value in changes.items():
            setattr(row, field, value)
    fields = ["state", "seq", *changes]
    if len(rows) == 1:
        rows[0].save(update_fields=fields)
    else:
        type(rows[0])._default_manager.bulk_update(rows, fields, batch_size=_BATCH)
    _record(rows, str(action), actor_ref=actor_ref, facts=facts or {}, before=before)


def _record(
    rows: Sequence[Stateful],
    event: str,
    *,
    actor_ref: str,
    facts: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]],
    before: Mapping[Any, str],
) -> None:
    name = type(rows[0]).subject
    now = clock.now()
    Event.objects.bulk_create(
        [
            Event(
                at=now,
                actor_ref=actor_ref,
                action=f"{name}.{event}",
                subject_type=name,
                subject_ref=str(row.pk),
                subject_seq=row.seq,
                facts={"from": before.get(row.pk), "to": row.state, **(facts(row) if callable(facts) else facts)},
            )
            for row in rows
        ],
        batch_size=_BATCH,
    )
