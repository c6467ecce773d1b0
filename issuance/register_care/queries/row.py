"""A row of work with its history, for its page: what was found, decided and sent, and by whom."""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from issuance.authz import Action, Actor, policy
from issuance.records.models.events import Event
from issuance.records.queries import event_words, history
from issuance.register_care.models import WorkItem
from issuance.register_care.queries import work
from issuance.register_care.queries.work import WorkLine
from issuance.register_care.services import deciding

MOST_EVENTS = 100
"""The events of a row on its page; a row has some ten."""

REMINDING_ACTIONS = ("carrier.reminder_requested", "carrier.reminded", "carrier.reminder_refused")
"""What happens to the reminders of a card."""


@dataclass(frozen=True)
class WorkEvent:
    """Something that happened to a row, or a reminder of its card."""

    at: dt.datetime
    what: str
    who: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class WorkRow:
    """A row as its page shows it. `state` is its state; a row that is gone is shown too."""

    line: WorkLine
    state: str
    found_at: dt.datetime
    events: tuple[WorkEvent, ...]


def work_row(*, actor: Actor, item_id: UUID) -> WorkRow:
    """Returns a row with its history. Raises NotFound, also for a row about the actor, and Forbidden."""
    item = policy.get(actor, Action.KEEP_REGISTER, _not_about, item_id)
    return WorkRow(work.lines(actor, [item])[0], item.state, item.found_at, _events(actor, item))


def _not_about(actor: Actor) -> QuerySet[WorkItem]:
    related: Any = ("person", "organisation", "office", "carrier")
    return deciding.not_about(actor, WorkItem.objects.all()).select_related(*related).defer("carrier__card_key_spki")


def _events(actor: Actor, item: WorkItem) -> tuple[WorkEvent, ...]:
    concerned = Q(subject_type="work_item", subject_ref=str(item.pk))
    if item.carrier_id:
        concerned |= Q(subject_type="carrier", subject_ref=str(item.carrier_id), action__in=REMINDING_ACTIONS)
    rows = list(Event.objects.filter(concerned).order_by("-pk")[:MOST_EVENTS])
    who = history.names_of(actor, {row.actor_ref for row in rows})
    return tuple(
        WorkEvent(row.at, event_words.what(row.action), who[row.actor_ref], tuple(event_words.plain(row.facts))) for row in rows
    )
