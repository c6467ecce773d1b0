"""Handing out reserve cards, for pages: what an officer can choose, and what waits for a second officer (rules/issuance 5.7)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from issuance.activation.domain.identity_documents import IDENTITY_DOCUMENT
from issuance.authz import Action, Actor, policy
from issuance.orders.domain.rules import LOA2, LOA3
from issuance.people.models.persons import Person, Post
from issuance.people.queries import officers
from issuance.person_page.queries import person_view
from issuance.person_page.queries.page_parts import PersonHead
from issuance.records.domain import wording
from issuance.reserve_cards.domain import RIGHTS, IssueState
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.reserve_cards.services import approving, handing_out
from siths_portal.lib import clock

LATE_MINUTES = 20
"""A hand-out that has waited for this long is marked: the holder stands at the desk."""


FEW = 5
"""The page Reservkort shows this many hand-outs; the queue has all of them."""


@dataclass(frozen=True)
class LevelChoice:
    """A level on which the officer may hand out a card, and the last day that it may be valid."""

    level: int
    last_day: dt.date


@dataclass(frozen=True)
class NewCardPage:
    """What the page of a new reserve card shows. `posts` are the person's assignments for which the officer may hand one out.
    `level_3_is_out` means that the person is too young for level 3 or has no personnummer.
    """

    head: PersonHead
    posts: tuple[Post, ...]
    levels: tuple[LevelChoice, ...]
    level_3_is_out: bool = False


@dataclass(frozen=True)
class WaitingView:
    """A hand-out that waits. `minutes` is how long. `own` means that the reader is its first officer, `holder` the coming holder;
    neither may be its second officer.
    """

    id: UUID
    person_id: UUID
    person: str
    person_number: str
    card_end: str
    organisation: str
    officer: str
    since: dt.datetime
    document: str
    minutes: int
    late: bool
    own: bool
    holder: bool


def new_card_page(*, actor: Actor, person_id: UUID) -> NewCardPage:
    """Returns the choices for a new reserve card. Raises NotFound, Forbidden (role, own matter)."""
    current = Q(valid_to=None) | Q(valid_to__gte=clock.today())
    head = person_view.person_head(actor=actor, person_id=person_id)
    rows = Post.objects.with_rights(actor, [Action.ISSUE_RESERVE_CARD]).visible_to(actor).filter(current, ended_at=None)
    seen = list(rows.filter(person=person_id).select_related("organisation", "person").order_by("organisation__name", "hsa_id"))
    posts = tuple(post for post in seen if getattr(post, f"may_{Action.ISSUE_RESERVE_CARD}"))
    policy.reach(actor, Action.ISSUE_RESERVE_CARD)
    if seen:
        policy.require(actor, Action.ISSUE_RESERVE_CARD, (posts or seen)[0])
    held = [level for level in RIGHTS if policy.holds(actor, RIGHTS[level])]
    possible = [level for level in held if level < LOA3 or LOA2 not in held or handing_out.number_allows(person_id, level)]
    levels = tuple(LevelChoice(level, handing_out.proposed_last_day(level)) for level in possible)
    return NewCardPage(head, posts, levels, level_3_is_out=possible != held)


def waiting(*, actor: Actor) -> QuerySet[ReserveCardIssue]:
    """Returns the hand-outs that wait for a second officer where the actor may approve, for `views`."""
    if not policy.holds(actor, Action.APPROVE_RESERVE_CARD):
        return ReserveCardIssue.objects.none()
    rows = ReserveCardIssue.objects.visible_to(actor, Action.APPROVE_RESERVE_CARD)
    waits = rows.filter(state=IssueState.WAITING.value, waiting_until__gt=clock.now())
    related: Any = ("carrier", "person", "post__organisation")
    return waits.select_related(*related).defer("carrier__card_key_spki").prefetch_related("person__identifiers")


def own(actor: Actor) -> Q:
    """Selects the hand-outs of which the actor is the first officer or the coming holder, so that another must be the second."""
    return Q(officer_ref=actor.ref) | Q(person=actor.person_id)


def to_check(*, actor: Actor) -> QuerySet[ReserveCardIssue]:
    """Returns the hand-outs that wait and of which the actor can be the second officer, without the numbers of persons; the one
    that has waited longest first.
    """
    return waiting(actor=actor).exclude(own(actor)).prefetch_related(None).order_by("waiting_until", "pk")


def oldest(*, actor: Actor) -> tuple[list[WaitingView], int]:
    """Returns the FEW hand-outs of the queue that have waited longest, and how many wait."""
    rows = waiting(actor=actor)
    found = views(actor, list(rows.order_by("waiting_until", "pk")[: FEW + 1]))
    return found[:FEW], len(found) if len(found) <= FEW else rows.count()


def views(actor: Actor, rows: Sequence[ReserveCardIssue]) -> list[WaitingView]:
    """Returns the rows of a page of the queue in words, with a constant number of queries."""
    names = officers.names(actor, {row.officer_ref for row in rows})
    return [_view(actor, row, names.get(row.officer_ref, officers.unknown())) for row in rows]


def _view(actor: Actor, row: ReserveCardIssue, officer: str) -> WaitingView:
    since = row.waiting_since or row.created_at
    minutes = int((clock.now() - since).total_seconds() // 60)
    is_first = row.officer_ref == actor.ref
    return WaitingView(
        id=row.pk,
        person_id=row.person_id,
        person=_("Skyddad person") if row.person.is_protected else f"{row.person.given_name_in_use} {row.person.surname}",
        person_number="" if row.person.is_protected else _number(row.person),
        card_end=row.carrier.card_serial[-4:],
        organisation=row.post.organisation.name,
        officer=_("Du") if is_first else officer,
        since=since,
        document=wording.label(IDENTITY_DOCUMENT, row.identity_document),
        minutes=minutes,
        late=minutes >= LATE_MINUTES,
        own=is_first,
        holder=row.person_id == actor.person_id,
    )


def _number(person: Person) -> str:
    valid = [row for row in person.identifiers.all() if row.valid_to is None]
    found = min(valid, key=lambda row: row.kind != "personnummer", default=None)
    return wording.person_number(found.kind, found.value) if found else ""


@dataclass(frozen=True)
class ApprovalPage:
    """What the second officer sees. `first` has what the first one did, in words."""

    issue: ReserveCardIssue
    head: PersonHead
    card_end: str
    officer: str
    document: str
    last_day: dt.date | None
    waits: bool


def approval_page(*, actor: Actor, issue_id: UUID) -> ApprovalPage:
    """Returns the page of the second officer. Raises NotFound, Forbidden (role, own hand-out, own card)."""
    issue = approving.waiting_issue(actor=actor, issue_id=issue_id)
    names = officers.names(actor, [issue.officer_ref])
    return ApprovalPage(
        issue=issue,
        head=person_view.person_head(actor=actor, person_id=issue.person_id),
        card_end=issue.carrier.card_serial[-4:],
        officer=names.get(issue.officer_ref, officers.unknown()),
        document=wording.label(IDENTITY_DOCUMENT, issue.identity_document),
        last_day=wording.last_day(issue.valid_to),
        waits=issue.state == IssueState.WAITING and issue.waiting_until is not None and issue.waiting_until > clock.now(),
    )
