"""The nightly comparison with register and catalogue (rules/issuance 7.11): reads everybody with a card in the person register,
and the names of organisations in the catalogue, then finds the causes of each kind of work, and plans the reminders of the day.

A night's work is one `CareRun`. It is done in pieces: a run that is stopped or killed goes on from the last committed batch.
"""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, QuerySet

from issuance.carriers.domain.carrier_states import INVALID
from issuance.carriers.models import Carrier
from issuance.notices.services import reminding as eid_reminding
from issuance.organisations.models import Organisation
from issuance.organisations.ports import OrganisationDirectory
from issuance.people.services import register_reading
from issuance.register_care.domain import kinds
from issuance.register_care.domain.kinds import WorkKind
from issuance.register_care.models import CareRun
from issuance.register_care.services import merging, reminding
from siths_portal.lib import clock, ports
from siths_portal.lib.database import bulk, locks
from siths_portal.lib.errors import Conflict, NotFound, Refused, Unavailable

log = structlog.get_logger(__name__)

BATCH = 200
"""The people of one request to the register, and of one transaction."""

SECONDS = 60.0
"""After this many seconds a run of the task begins no further batch and no further kind."""

MOST_REFUSALS = 12
"""After so many runs without an answer of the register, the causes are found without it."""

_OVERLAP = dt.timedelta(hours=1)
"""Events of this long before the last comparison are read again, since a long transaction commits late."""

_FIRST_NEWS = dt.timedelta(days=30)
_LOCK = locks.number("issuance.register_care")
_LIVE_STATES = sorted(state.value for state in set(Carrier.states) - INVALID)

type ReportProgress = Callable[[CareRun], None]
"""A progress callback, called after each batch and each kind."""


def work_due(*, seconds: float = SECONDS) -> CareRun | None:
    """Works on the comparison of this night for at most `seconds`, if it is not done. Returns its row, or None if nothing was to
    do or another process works on it. The task is repeatable, and a missed run does no harm. No transaction may be open.
    """
    with locks.held_if_free(_LOCK) as mine:
        run = _of_night(_night()) if mine else None
        if run is None or run.ended_at is not None:
            return None
        return _work(run, until=time.monotonic() + seconds, report_progress=lambda _run: None)


def work_now(*, wait: bool = False, report_progress: ReportProgress = lambda _run: None) -> CareRun:
    """Does the comparison of this night to its end, again if it was done.

    If another process works on it: waits for that process with `wait`, else raises Conflict.
    """
    busy = Conflict("register-care-running", "Avstämningen pågår redan. Vänta tills den är klar.")
    with locks.held(_LOCK) if wait else locks.held_or_raise(_LOCK, busy):
        run = _of_night(_night())
        if run.ended_at is not None:
            CareRun.objects.filter(pk=run.pk).update(
                begun_at=clock.now(), ended_at=None, position=None, read=0, refusals=0, register_ended=False,
                register_whole=False, kinds=[],
            )  # fmt: skip
            run.refresh_from_db()
        return _work(run, until=None, report_progress=report_progress)


def due_since() -> dt.datetime:
    """Returns the last moment at which the night's hour began in Stockholm."""
    today = clock.today()
    hour = dt.time(settings.REGISTER_CARE_HOUR, tzinfo=clock.STOCKHOLM)
    begun = dt.datetime.combine(today, hour)
    return begun if begun <= clock.now() else dt.datetime.combine(today - dt.timedelta(days=1), hour)


def _night() -> dt.date:
    return due_since().astimezone(clock.STOCKHOLM).date()


def _of_night(night: dt.date) -> CareRun:
    defaults = {"begun_at": clock.now(), "persons": _with_card().count()}
    return CareRun.objects.get_or_create(night=night, defaults=defaults)[0]


def _with_card() -> QuerySet[Carrier, UUID]:
    """Returns the ids of the people with a live card, each once, in order. An index has them, from any id on."""
    cards = Carrier.objects.filter(person__isnull=False, state__in=_LIVE_STATES)
    return cards.order_by("person").values_list("person", flat=True).distinct()


def _work(run: CareRun, *, until: float | None, report_progress: ReportProgress) -> CareRun:
    def in_time() -> bool:
        return until is None or time.monotonic() < until

    since = _news_since(run)
    while not run.register_ended and in_time():
        if not _read_batch(run) and until is not None:
            return run  # the next run of the task asks again
        report_progress(run)
    if run.register_ended:
        for kind in [each for each in kinds.all_kinds() if each.code not in run.kinds]:
            if not in_time():
                return run
            _find(run, kind, since)
            report_progress(run)
        _finish(run)
    return run


def _news_since(run: CareRun) -> dt.datetime:
    """Returns since when events are news: since the comparison before this one began."""
    before = CareRun.objects.filter(ended_at__isnull=False).exclude(pk=run.pk).order_by("-night").first()
    return before.begun_at - _OVERLAP if before else run.begun_at - _FIRST_NEWS


# The register.


def _read_batch(run: CareRun) -> bool:
    """Reads the next people and stores how far the run came, in one transaction. False if the register did not answer."""
    people = _with_card()
    ids = list((people.filter(person__gt=run.position) if run.position else people)[:BATCH])
    if not ids:
        _store(run, register_ended=True, register_whole=True)
        return True
    begun = time.monotonic()
    try:
        answers = register_reading.ask(ids)
    except (Unavailable, Refused, NotFound) as error:
        log.warning("register_care.unanswered", code=error.code, read=run.read)
        _store(run, refusals=run.refusals + 1, register_ended=run.refusals + 1 >= MOST_REFUSALS)
        return False
    with transaction.atomic(durable=True):
        changed = register_reading.merge(answers)
        _store(run, position=ids[-1], read=run.read + len(ids), changed=run.changed + changed)
    _wait(begun)
    return True


def _wait(begun: float) -> None:
    """Waits until the rate limit allows the next request, which leaves capacity of the register to others."""
    if settings.REGISTER_CARE_READS_PER_SECOND > 0:
        time.sleep(max(0.0, begun + 1 / settings.REGISTER_CARE_READS_PER_SECOND - time.monotonic()))


def _store(run: CareRun, **changes: object) -> None:
    for name, value in changes.items():
        setattr(run, name, value)
    run.save(update_fields=[*changes])


# The causes.


def _find(run: CareRun, kind: WorkKind, since: dt.datetime) -> None:
    if kind is not kinds.RENAMED_ORGANISATION or _stage_organisations():
        merged = merging.merge(kind, since=since)
        CareRun.objects.filter(pk=run.pk).update(found=F("found") + merged.found, gone=F("gone") + merged.gone)
        log.info("register_care.merged", kind=kind.code, found=merged.found, gone=merged.gone, woken=merged.woken)
    _store(run, kinds=[*run.kinds, kind.code])


def _stage_organisations() -> bool:
    """Fills the temporary table with the names that the catalogue has. False if it does not answer: then nothing is compared."""
    ids: dict[str, UUID] = {}
    for pk, hsa_id in Organisation.objects.filter(closed_at=None).values_list("pk", "hsa_id"):
        ids[hsa_id.upper()] = pk
    try:
        found = ports.get(OrganisationDirectory).find_organisations(list(ids)) if ids else []
    except (Unavailable, Refused, NotFound) as error:
        log.warning("register_care.catalogue_unanswered", code=error.code)
        return False
    named = {each.hsa_id.upper(): each.name for each in found}
    _create_organisations([(pk, named[hsa_id]) for hsa_id, pk in ids.items() if hsa_id in named])
    return True


def _create_organisations(rows: Sequence[tuple[UUID, str]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.care_organisation")
        cursor.execute("CREATE TEMPORARY TABLE care_organisation (organisation_id uuid NOT NULL, name text NOT NULL)")
    bulk.copy("care_organisation", ("organisation_id", "name"), rows)


def _finish(run: CareRun) -> None:
    reminding.plan_due()
    eid_reminding.plan_due()
    _store(run, ended_at=clock.now())
    run.refresh_from_db()
    log.info(
        "register_care.done", read=run.read, changed=run.changed, found=run.found, gone=run.gone, whole=run.register_whole
    )  # fmt: skip
