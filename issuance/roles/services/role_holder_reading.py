"""Re-reads role holders from the HSA directory each night, so the roles of people who have left become dormant (ADR 0036)."""

import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Upper

from issuance.organisations.models import Organisation
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.people.ports import DirectoryPost, PersonKey, StaffDirectory
from issuance.people.services.people import new_post, remember_name, remember_post
from issuance.people.services.people_integrity import post_facts
from issuance.records.domain.ids import same_hsa_id
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import ended_roles
from issuance.roles.services.actors import current
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Refused, Unavailable
from siths_portal.lib.monitoring import metrics

log = structlog.get_logger(__name__)

BATCH = 200
"""The maximum number of role holders in one run of the task."""

SECONDS = 60.0
"""After this many seconds a run starts no further read."""

FEW = 3
"""The number of people who may lose an assignment in one run regardless of their share."""

_RULE = "system:register-reading"
_HELD = metrics.counter("role_holders_losses_held", "Role holders that the catalogue had lost and none of whose posts was ended")
_UNREAD = metrics.gauge(
    "role_holders_unread_seconds",
    "How long a role holder has been due to be read; 0 if none is",
    mode="mostrecent",
)
_LOSSES_HELD, _LOSSES_ACCEPTED = "catalogue.losses_held", "catalogue.losses_accepted"
_CATALOGUE: Mapping[str, Any] = {"subject_type": "catalogue", "subject_ref": "role-holders"}


@dataclass
class Reading:
    """The result of a run: holders read, those who lost or gained an assignment, and those whose losses were held back.

    `unanswered` is True if the HSA directory stopped responding, which leaves the rest to a later run.
    """

    read: int = 0
    left: int = 0
    came: int = 0
    held: int = 0
    unanswered: bool = False


@dataclass(frozen=True)
class _DirectoryResponse:
    """The HSA directory's assignments of a person, read at `at`."""

    person_id: UUID
    posts: tuple[DirectoryPost, ...]
    at: dt.datetime


def read_due() -> Reading:
    """Reads at most BATCH role holders who have not been read since this night's hour, for at most SECONDS.

    The task is repeatable, and a missed run does no harm. No transaction may be open. An outage ends the run and is not raised.
    """
    return read(due(since=_last_night(), limit=BATCH), seconds=SECONDS)


def measure() -> None:
    """Sets the gauge of what this night's reading has left."""
    night = _last_night()
    _UNREAD.set((clock.now() - night).total_seconds() if due(since=night, limit=1) else 0)


def due(*, since: dt.datetime, limit: int | None = None) -> list[UUID]:
    """Returns holders of current or coming roles not read since then, the longest unread first.

    Requires a valid personal number.
    """
    holders = current(RoleGrant.objects.all()).values("person")
    unread = Q(catalogue_read_at=None) | Q(catalogue_read_at__lt=since)
    known = Exists(PersonIdentifier.objects.filter(person=OuterRef("pk"), valid_to=None))
    rows = Person.objects.filter(unread, known, pk__in=holders).order_by(F("catalogue_read_at").asc(nulls_first=True), "pk")
    return list(rows.values_list("pk", flat=True)[:limit])


def read(
    person_ids: Sequence[UUID], *, seconds: float | None = None, accept_losses: bool = False, dry_run: bool = False
) -> Reading:
    """Reads each person's assignments from the HSA directory and updates the mirror, one transaction per person.

    Assignments that the directory no longer has end; roles that depended on them become dormant, and their holder's unfinished
    work ends. New assignments are added if the portal has their organisation. If too large a share of one run would lose an
    assignment at once, the directory is assumed to be broken and none ends, unless `accept_losses`. `dry_run` reads but writes
    nothing.
    """
    done, lost = Reading(), []
    organisations = {hsa_id: pk for pk, hsa_id in Organisation.objects.annotate(upper=Upper("hsa_id")).values_list("pk", "upper")}
    for response in _responses(person_ids, seconds, done):
        done.read += 1
        if _ends_any(response):
            lost.append(response)
        elif not dry_run:
            done.came += _remember(response, organisations, with_losses=False).came
    if accept_losses and not dry_run:
        Event.record(actor_ref=_RULE, action=_LOSSES_ACCEPTED, facts={"lost": len(lost), "read": done.read}, **_CATALOGUE)
    if accept_losses or len(lost) <= max(FEW, done.read * settings.ROLE_HOLDERS_LOST_PERCENT // 100):
        for response in lost:
            outcome = _Outcome(left=1) if dry_run else _remember(response, organisations, with_losses=True)
            done.left += outcome.left
            done.came += outcome.came
    else:
        done.held = len(lost)
        if not dry_run:
            _report_held(done)
        for response in () if dry_run else lost:
            _remember(response, organisations, with_losses=False)
    log.info("role_holders.read", read=done.read, left=done.left, came=done.came, unanswered=done.unanswered)
    return done


def _report_held(done: Reading) -> None:
    """Reports held losses to the operators by log, metric and event."""
    log.error("role_holders.losses_held", held=done.held, read=done.read)
    _HELD.inc(done.held)
    Event.record(actor_ref=_RULE, action=_LOSSES_HELD, facts={"held": done.held, "read": done.read}, **_CATALOGUE)


@dataclass(frozen=True)
class HeldLosses:
    """Of the holders `read`, `held` would have lost an assignment, which the run at `at` held back."""

    held: int
    read: int
    at: dt.datetime


def held_losses() -> HeldLosses | None:
    """Returns the losses held in this night's last run, or None if there are none or they were accepted. One query."""
    row = Event.objects.filter(**_CATALOGUE).order_by("-id").first()
    if row is None or row.action != _LOSSES_HELD or row.at < _last_night():
        return None
    return HeldLosses(row.facts["held"], row.facts["read"], row.at)


def _last_night() -> dt.datetime:
    """Returns the last moment at which the night's hour began in Stockholm."""
    today = clock.today()
    hour = dt.time(settings.ROLE_HOLDERS_READ_HOUR, tzinfo=clock.STOCKHOLM)
    begun = dt.datetime.combine(today, hour)
    return begun if begun <= clock.now() else dt.datetime.combine(today - dt.timedelta(days=1), hour)


def _responses(person_ids: Sequence[UUID], seconds: float | None, done: Reading) -> Iterator[_DirectoryResponse]:
    """Yields the response for each person, at the rate of the settings.

    Ends if the HSA directory stops responding or time is up.
    """
    directory = ports.get(StaffDirectory)
    keys: dict[UUID, list[PersonKey]] = {pk: [] for pk in person_ids}
    for pk, kind, value in PersonIdentifier.objects.filter(person__in=person_ids, valid_to=None).values_list(
        "person_id", "kind", "value"
    ):
        keys[pk].append(PersonKey(kind, value))
    begun, request_count = time.monotonic(), 0
    for pk in person_ids:
        if seconds is not None and time.monotonic() - begun >= seconds:
            return
        at, posts = clock.now(), []
        for key in keys[pk]:
            _wait(begun, request_count)
            request_count += 1
            try:
                posts += [post for post in directory.find_posts_by_person_id(key) if post.person == key]
            except (Unavailable, Refused) as error:
                # An incomplete response changes nobody, and an unavailable directory gets no further requests.
                log.warning("role_holders.unanswered", code=error.code, read=done.read)
                done.unanswered = True
                return
        yield _DirectoryResponse(pk, tuple(posts), at)


def _wait(begun: float, request_count: int) -> None:
    """Waits until the rate limit allows the next request, which leaves capacity of the HSA directory to others."""
    if settings.ROLE_HOLDERS_READ_PER_SECOND > 0:
        time.sleep(max(0.0, begun + request_count / settings.ROLE_HOLDERS_READ_PER_SECOND - time.monotonic()))


def _entry(response: _DirectoryResponse, post: Post) -> DirectoryPost | None:
    return next((found for found in response.posts if same_hsa_id(found.hsa_id, post.hsa_id)), None)


def _live(response: _DirectoryResponse) -> list[Post]:
    """Returns the person's assignments in the mirror that no other read has updated since the request."""
    rows = Post.objects.filter(person=response.person_id, ended_at=None, synced_at__lte=response.at)
    return list(rows.select_related("organisation").order_by("pk"))


def _ends(response: _DirectoryResponse, post: Post) -> bool:
    """True if the response ends an assignment of the mirror: missing, in another organisation, or newly past its last day."""
    found = _entry(response, post)
    if found is None or not same_hsa_id(found.organisation_hsa_id, post.organisation.hsa_id):
        return True
    return not _holds(found.valid_to) and _holds(post.valid_to)


def _holds(last: dt.date | None) -> bool:
    return last is None or last >= clock.today()


def _ends_any(response: _DirectoryResponse) -> bool:
    return any(_ends(response, post) for post in _live(response))


@dataclass(frozen=True)
class _Outcome:
    """1 if a person lost an assignment, and 1 if they gained one."""

    left: int = 0
    came: int = 0


def _remember(response: _DirectoryResponse, organisations: dict[str, UUID], *, with_losses: bool) -> _Outcome:
    """Updates one person's rows from a response; without `with_losses` no assignment ends.

    A collision is left to the next run.
    """
    try:
        with transaction.atomic(durable=True):
            return _write(response, organisations, with_losses=with_losses)
    except IntegrityError:
        log.warning("role_holders.collision")
        return _Outcome()


def _write(response: _DirectoryResponse, organisations: dict[str, UUID], *, with_losses: bool) -> _Outcome:
    person = Person.objects.select_for_update(no_key=True).get(pk=response.person_id)
    posts = [post for post in _live(response) if with_losses or not _ends(response, post)]
    for post in posts:
        remember_post(post, _entry(response, post))
    if response.posts:
        remember_name(person, response.posts[0])
    left = any(_ends(response, post) for post in posts)
    came = [_add(person, found, organisations) for found in _new(response)]
    Person.objects.filter(pk=person.pk).update(catalogue_read_at=response.at)
    if left or any(came):
        PersonScope.objects.refresh([person.pk])
    if left:
        ended_roles.end_of_clerk(person.pk)
    return _Outcome(int(left), int(any(came)))


def _new(response: _DirectoryResponse) -> list[DirectoryPost]:
    """Returns the response's valid assignments whose HSA-ids nobody has in the mirror."""
    holding = [post for post in response.posts if _holds(post.valid_to)]
    named = {post.hsa_id.upper(): post for post in holding}
    rows = Post.objects.filter(ended_at=None).annotate(upper=Upper("hsa_id")).filter(upper__in=list(named))
    taken = set(rows.values_list("upper", flat=True))
    return [post for hsa_id, post in named.items() if hsa_id not in taken]


def _add(person: Person, found: DirectoryPost, organisations: dict[str, UUID]) -> bool:
    organisation_id = organisations.get(found.organisation_hsa_id.upper())
    if organisation_id is None:
        return False
    post = new_post(found, person=person, organisation_id=organisation_id)
    post.save(force_insert=True)
    Event.record(actor_ref=_RULE, action="post.registered", subject_type="post", subject_ref=str(post.pk), facts=post_facts(post))
    return True
