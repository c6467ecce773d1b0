"""Role holders read anew from the catalogue each night, so that a leaver's roles rest though nobody orders for him (ADR 0036)."""

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
from issuance.people.services.people import new_post, remember_post
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
"""Role holders that one run of the task reads at most."""

SECONDS = 60.0
"""A run of the task begins no further reading after so long."""

FEW = 3
"""So many leavers in one run are believed whatever share they are."""

_RULE = "system:register-reading"
_HELD = metrics.counter("role_holders_losses_held", "Role holders that the catalogue had lost and none of whose posts was ended")
_LOSSES_HELD, _LOSSES_ACCEPTED = "catalogue.losses_held", "catalogue.losses_accepted"
_CATALOGUE: Mapping[str, Any] = {"subject_type": "catalogue", "subject_ref": "role-holders"}


@dataclass
class Reading:
    """What a run did: holders read, those of them with a post that ended or came, and those whose posts would end but were held.

    `unanswered` is True if the catalogue stopped answering and the rest is left to a later run.
    """

    read: int = 0
    left: int = 0
    came: int = 0
    held: int = 0
    unanswered: bool = False


@dataclass(frozen=True)
class _Answer:
    """What the catalogue said of a person, asked at `at`."""

    person_id: UUID
    posts: tuple[DirectoryPost, ...]
    at: dt.datetime


def read_due() -> Reading:
    """Reads those role holders who were not read since the night's hour, BATCH or SECONDS of them. Repeatable, and may be missed.

    No transaction may be open. Outages end the run and change nothing; they are not raised.
    """
    return read(due(since=_last_night(), limit=BATCH), seconds=SECONDS)


def due(*, since: dt.datetime, limit: int | None = None) -> list[UUID]:
    """Those with a role that has not ended who were not read since then, the longest unread first; none without a number."""
    holders = current(RoleGrant.objects.all()).values("person")
    unread = Q(catalogue_read_at=None) | Q(catalogue_read_at__lt=since)
    known = Exists(PersonIdentifier.objects.filter(person=OuterRef("pk"), valid_to=None))
    rows = Person.objects.filter(unread, known, pk__in=holders).order_by(F("catalogue_read_at").asc(nulls_first=True), "pk")
    return list(rows.values_list("pk", flat=True)[:limit])


def read(
    person_ids: Sequence[UUID], *, seconds: float | None = None, accept_losses: bool = False, dry_run: bool = False
) -> Reading:
    """Asks the catalogue for each person's posts and lets the mirror follow, a person a transaction.

    Posts that it no longer has end, which lets the roles rest that hung on them and ends what their holder has under way; posts
    that are new come, if their organisation is ours. Where too many people of one run would lose a post at once, the catalogue
    is believed to be broken and none does, unless `accept_losses`. `dry_run` asks and writes nothing.
    """
    done, lost = Reading(), []
    organisations = {hsa_id: pk for pk, hsa_id in Organisation.objects.annotate(upper=Upper("hsa_id")).values_list("pk", "upper")}
    for answer in _answers(person_ids, seconds, done):
        done.read += 1
        if _ends_any(answer):
            lost.append(answer)
        elif not dry_run:
            done.came += _remember(answer, organisations, with_losses=False).came
    if accept_losses and not dry_run:
        Event.record(actor_ref=_RULE, action=_LOSSES_ACCEPTED, facts={"lost": len(lost), "read": done.read}, **_CATALOGUE)
    if accept_losses or len(lost) <= max(FEW, done.read * settings.ROLE_HOLDERS_LOST_PERCENT // 100):
        for answer in lost:
            told = _Told(left=1) if dry_run else _remember(answer, organisations, with_losses=True)
            done.left += told.left
            done.came += told.came
    else:
        done.held = len(lost)
        if not dry_run:
            _tell_held(done)
        for answer in () if dry_run else lost:
            _remember(answer, organisations, with_losses=False)
    log.info("role_holders.read", read=done.read, left=done.left, came=done.came, unanswered=done.unanswered)
    return done


def _tell_held(done: Reading) -> None:
    """Says to the operators, by log, number and event, that losses were not believed."""
    log.error("role_holders.losses_held", held=done.held, read=done.read)
    _HELD.inc(done.held)
    Event.record(actor_ref=_RULE, action=_LOSSES_HELD, facts={"held": done.held, "read": done.read}, **_CATALOGUE)


@dataclass(frozen=True)
class HeldLosses:
    """So many of those `read` had no post any more, at `at`, and kept what they had."""

    held: int
    read: int
    at: dt.datetime


def held_losses() -> HeldLosses | None:
    """The newest losses of this night's readings that were held, unless they were accepted since; one query."""
    row = Event.objects.filter(**_CATALOGUE).order_by("-id").first()
    if row is None or row.action != _LOSSES_HELD or row.at < _last_night():
        return None
    return HeldLosses(row.facts["held"], row.facts["read"], row.at)


def _last_night() -> dt.datetime:
    """The newest moment at which the night's hour began in Stockholm."""
    today = clock.today()
    hour = dt.time(settings.ROLE_HOLDERS_READ_HOUR, tzinfo=clock.STOCKHOLM)
    begun = dt.datetime.combine(today, hour)
    return begun if begun <= clock.now() else dt.datetime.combine(today - dt.timedelta(days=1), hour)


def _answers(person_ids: Sequence[UUID], seconds: float | None, done: Reading) -> Iterator[_Answer]:
    """What the catalogue says of each, no faster than the settings let; ends where it stops answering or the time is out."""
    directory = ports.get(StaffDirectory)
    keys: dict[UUID, list[PersonKey]] = {pk: [] for pk in person_ids}
    for pk, kind, value in PersonIdentifier.objects.filter(person__in=person_ids, valid_to=None).values_list(
        "person_id", "kind", "value"
    ):
        keys[pk].append(PersonKey(kind, value))
    begun, asked = time.monotonic(), 0
    for pk in person_ids:
        if seconds is not None and time.monotonic() - begun >= seconds:
            return
        at, posts = clock.now(), []
        for key in keys[pk]:
            _wait(begun, asked)
            asked += 1
            try:
                posts += [post for post in directory.find_posts_by_person_id(key) if post.person == key]
            except (Unavailable, Refused) as error:
                # Nobody is read by half an answer, and who does not answer is not asked on.
                log.warning("role_holders.unanswered", code=error.code, read=done.read)
                done.unanswered = True
                return
        yield _Answer(pk, tuple(posts), at)


def _wait(begun: float, asked: int) -> None:
    """Until the next question may be asked, so that the night's readings leave the catalogue to others."""
    if settings.ROLE_HOLDERS_READ_PER_SECOND > 0:
        time.sleep(max(0.0, begun + asked / settings.ROLE_HOLDERS_READ_PER_SECOND - time.monotonic()))


def _found(answer: _Answer, post: Post) -> DirectoryPost | None:
    return next((found for found in answer.posts if same_hsa_id(found.hsa_id, post.hsa_id)), None)


def _live(answer: _Answer) -> list[Post]:
    """The person's posts in the mirror that nobody has read since he was asked for."""
    rows = Post.objects.filter(person=answer.person_id, ended_at=None, synced_at__lte=answer.at)
    return list(rows.select_related("organisation").order_by("pk"))


def _ends(answer: _Answer, post: Post) -> bool:
    """Whether a post of the mirror is over by the answer: it is gone or elsewhere, or its last day has passed, which was news."""
    found = _found(answer, post)
    if found is None or not same_hsa_id(found.organisation_hsa_id, post.organisation.hsa_id):
        return True
    return not _holds(found.valid_to) and _holds(post.valid_to)


def _holds(last: dt.date | None) -> bool:
    return last is None or last >= clock.today()


def _ends_any(answer: _Answer) -> bool:
    return any(_ends(answer, post) for post in _live(answer))


@dataclass(frozen=True)
class _Told:
    """Whether a person lost a post by an answer, and whether he got one."""

    left: int = 0
    came: int = 0


def _remember(answer: _Answer, organisations: dict[str, UUID], *, with_losses: bool) -> _Told:
    """Lets one person's rows follow from an answer; without losses lost posts stay. A collision waits for the next run."""
    try:
        with transaction.atomic(durable=True):
            return _write(answer, organisations, with_losses=with_losses)
    except IntegrityError:
        log.warning("role_holders.collision")
        return _Told()


def _write(answer: _Answer, organisations: dict[str, UUID], *, with_losses: bool) -> _Told:
    person = Person.objects.select_for_update(no_key=True).get(pk=answer.person_id)
    posts = [post for post in _live(answer) if with_losses or not _ends(answer, post)]
    for post in posts:
        remember_post(post, _found(answer, post))
    left = any(_ends(answer, post) for post in posts)
    came = [_add(person, found, organisations) for found in _new(answer)]
    Person.objects.filter(pk=person.pk).update(catalogue_read_at=answer.at)
    if left or any(came):
        PersonScope.objects.refresh([person.pk])
    if left:
        ended_roles.end_of_clerk(person.pk)
    return _Told(int(left), int(any(came)))


def _new(answer: _Answer) -> list[DirectoryPost]:
    """Posts of the answer that hold today and are nobody's in the mirror."""
    holding = [post for post in answer.posts if _holds(post.valid_to)]
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
