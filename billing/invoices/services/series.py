"""Correction of a number series that a wrong clock dated ahead: two people allow one step back of its dates."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from billing.invoices.models import Counter, SeriesCorrection
from billing.invoices.services import numbering
from billing.records.models import Event
from issuance import service as issuance
from issuance.authz import Action, Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid, NotFound

ACTION = Action.CORRECT_INVOICE_SERIES
LONGEST_REASON = 500


@dataclass(frozen=True)
class SeriesState:
    """The series of this year. `locked` means that its last date is ahead of the clock without an approved step back.

    `waiting` holds requests that can be approved now, `approved` the approved ones of all series, the newest first.
    """

    counter: Counter | None
    locked: bool
    waiting: tuple[SeriesCorrection, ...]
    approved: tuple[SeriesCorrection, ...]


@dataclass(frozen=True)
class Stop:
    """Why this year's series gives no number: its last date is after today.

    `requested`: one person has asked for a step back, and no second one has approved it.
    """

    last_date: dt.date
    requested: bool


def stop() -> Stop | None:
    """Returns the stop of this year's series, or None if it gives numbers, as after an approved step back."""
    today = clock.today()
    counter = Counter.objects.filter(series=str(today.year)).first()
    if counter is None or counter.last_date is None or counter.last_date <= today or numbering.may_step_back(counter, today):
        return None
    requested = SeriesCorrection.objects.filter(series=counter.series, after_sequence=counter.last, approved_at=None)
    return Stop(counter.last_date, requested.exists())


def state(actor: Actor) -> SeriesState:
    """Returns the state of this year's series. Raises Forbidden."""
    policy.require_global(actor, ACTION)
    today = clock.today()
    counter = Counter.objects.filter(series=str(today.year)).first()
    rows = list(SeriesCorrection.objects.order_by("-requested_at")[:50])
    last = counter.last if counter else 0
    here = [row for row in rows if row.series == str(today.year) and row.after_sequence == last]
    free = any(row.approved_at and row.from_date <= today for row in here)
    locked = bool(counter and counter.last_date and counter.last_date > today and not free)
    waiting = tuple(row for row in here if row.approved_at is None) if locked else ()
    return SeriesState(counter, locked, waiting, tuple(row for row in rows if row.approved_at))


def request_correction(*, actor: Actor, reason: str) -> SeriesCorrection:
    """Requests that this year's series may step back to today after its last invoice.

    Raises Forbidden; Invalid if the reason is empty or too long; Conflict if the series is not ahead or a request exists.
    """
    policy.require_global(actor, ACTION)
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise Invalid("reason-missing", f"Skriv varför, med högst {LONGEST_REASON} tecken.", fields={"reason": ["Skriv varför."]})
    today = clock.today()
    with transaction.atomic(durable=True):
        counter = Counter.objects.select_for_update().filter(series=str(today.year)).first()
        if counter is None or counter.last_date is None or counter.last_date <= today:
            raise Conflict("series-not-ahead", "Seriens senaste faktura är inte daterad framåt i tiden. Inget behöver ändras.")
        same = SeriesCorrection.objects.filter(series=counter.series, after_sequence=counter.last, from_date__lte=today)
        if same.exists():
            raise Conflict("correction-exists", "Någon har redan begärt det här. En annan person kan godkänna.")
        correction = SeriesCorrection.objects.create(
            series=counter.series,
            after_sequence=counter.last,
            wrong_date=counter.last_date,
            from_date=today,
            reason=reason,
            requested_by=actor.ref,
            requested_at=clock.now(),
        )
        _record(actor, "series.correction_requested", correction)
    return correction


def approve_correction(*, actor: Actor, correction_id: UUID) -> None:
    """Approves a step back that another person requested.

    Raises NotFound; Conflict if it is already approved or later numbers were assigned; Forbidden if the actor is the requester or
    got the right after the request.
    """
    policy.require_global(actor, ACTION)
    with transaction.atomic(durable=True):
        correction = SeriesCorrection.objects.select_for_update().filter(pk=correction_id).first()
        if correction is None:
            raise NotFound("correction-unknown", "Begäran finns inte. Ladda om sidan.")
        issuance.require_second(actor, ACTION, requested_by=correction.requested_by, requested_at=correction.requested_at)
        counter = Counter.objects.select_for_update().get(series=correction.series)
        if correction.approved_at is not None or counter.last != correction.after_sequence:
            raise Conflict("correction-done", "Begäran gäller inte längre. Ladda om sidan.")
        correction.approved_by, correction.approved_at = actor.ref, clock.now()
        correction.save(update_fields=["approved_by", "approved_at"])
        _record(actor, "series.correction_approved", correction)


def _record(actor: Actor, action: str, correction: SeriesCorrection) -> None:
    Event.record(
        actor_ref=actor.ref,
        action=action,
        subject_type="series",
        subject_ref=correction.series,
        facts={
            "correction": str(correction.pk),
            "after_sequence": correction.after_sequence,
            "wrong_date": correction.wrong_date.isoformat(),
            "from_date": correction.from_date.isoformat(),
        },
    )
