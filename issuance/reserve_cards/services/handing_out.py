"""Nytt SITHS eID reservkort: a card from stock, or the holder's own used one, is handed out to a person (rules/issuance 5.7).

On level 2 the card is bound at once. On level 3 the first officer signs, and the card is bound when a second one has signed too
(`approving`).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.db import transaction as database
from django.db.models import QuerySet

from issuance.activation.domain.identity_documents import ATTESTATION, offered
from issuance.activation.models import Identification, Statement
from issuance.activation.services import statements, visits
from issuance.activation.services.visits import Opened
from issuance.authz import Actor, policy
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.kinds import RESERVE_CARD
from issuance.carriers.models import Carrier
from issuance.orders.domain import rules
from issuance.orders.services import order_checks
from issuance.orders.services.ordering import post_ends_at
from issuance.organisations.services.holding import hold_organisations
from issuance.people.models.persons import Person, Post
from issuance.people.services import people
from issuance.records.services import steps
from issuance.reserve_cards.domain import RIGHTS, IssueAction, IssueState, Part
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.reserve_cards.services import binding, contents
from issuance.roles.services.actors import actor_of_person
from issuance.roles.services.subjects import person_of
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

PURPOSE = "reserve_card_first"
"""The purpose of the first officer's statement."""

_TAKEN = ("card-not-usable", "issuance_one_open_reserve_issue")
"""How the rules and the database refuse a card that is handed out already."""

DOCUMENTS: Mapping[int, tuple[str, ...]] = {
    level: tuple(code for code in offered(RESERVE_CARD.code, level) if code != ATTESTATION) for level in RIGHTS
}
"""The documents by which an officer identifies the holder at the hand-out, by level. An attestation waits for the activation."""

_OBSTACLES = {
    rules.Obstacle.DECEASED: "Personen är avliden enligt personregistret. Inget reservkort kan lämnas ut.",
    rules.Obstacle.NOT_PERSONNUMMER: "Personen saknar personnummer. Lämna ut reservkortet på tillitsnivå 2.",
    rules.Obstacle.TOO_YOUNG: "Personen måste ha fyllt {age} år för ett reservkort på tillitsnivå {level}.",
    rules.Obstacle.NO_ADDRESS: "Personen saknar folkbokföringsadress. Lämna ut reservkortet på tillitsnivå 2.",
}


@dataclass(frozen=True)
class HandOut:
    """What an officer asks for. `identity_document` is that of the officer's identification. It may be empty on level 2: then the
    holder is identified when the card is activated.
    """

    post_id: UUID
    card_serial: str
    assurance_level: int
    last_day: dt.date
    identity_document: str = ""


@dataclass(frozen=True)
class HandedOut:
    """The hand-out, and on level 3 the transaction in which its first officer signs."""

    issue: ReserveCardIssue
    opened: Opened | None = None


def proposed_last_day(assurance_level: int) -> dt.date:
    """Returns the last day that a reserve card of this level may be valid, as the settings say: the page proposes it."""
    days = settings.RESERVE_CARD_DAYS_LOA3 if assurance_level >= rules.LOA3 else settings.RESERVE_CARD_DAYS_LOA2
    return clock.today() + dt.timedelta(days=days)


def number_allows(person_id: UUID, assurance_level: int) -> bool:
    """Returns whether the person's number and age allow a reserve card of this level; the register decides the rest at the
    hand-out. True for a person without a valid number, whose hand-out says so.
    """
    try:
        number = people.person_id_of(person_id)
    except Conflict:
        return True
    known = {"deceased": False, "is_protected": False, "has_address": True, "is_sent": False}
    limits = order_checks.age_limits()
    return not rules.obstacles(number, assurance_level=assurance_level, today=clock.today(), limits=limits, **known)


def hand_out(*, actor: Actor, wanted: HandOut) -> HandedOut:
    """Hands out a reserve card. First reads assignment and person live. A second click returns the first one's hand-out (S33).

    Raises NotFound, Forbidden (role, own matter), Invalid (level, last day, serial number, document, obstacles of the person),
    Conflict (assignment, no own card to sign with), Unavailable (external systems).
    """
    right = RIGHTS.get(wanted.assurance_level)
    if right is None:
        message = "Välj tillitsnivå."
        raise Invalid("assurance-level", message, fields={"assurance_level": [message]})
    if wanted.identity_document or wanted.assurance_level >= rules.LOA3:
        visits.require_document(wanted.identity_document, DOCUMENTS[wanted.assurance_level])
    post = policy.get(actor, right, _posts(), wanted.post_id)
    live = people.read_live(post)
    people.remember(post_id=post.pk, live=live)
    _require_person(live, wanted.assurance_level)
    try:
        return _place(actor, wanted)
    except (Invalid, IntegrityError) as error:
        if not any(reason in str(error) for reason in _TAKEN):
            raise
        if (done := _first_click(actor, wanted)) is not None:
            return done
        raise binding.not_usable() from None


def _first_click(actor: Actor, wanted: HandOut) -> HandedOut | None:
    """Returns the hand-out that the officer made a moment ago with the same answers, and on level 3 a new handle for its
    statement. None if there is none.
    """
    now = clock.now()
    rows = ReserveCardIssue.objects.select_related("carrier", "post").filter(
        officer_ref=actor.ref,
        post=wanted.post_id,
        carrier__card_serial=binding.serial_of(wanted.card_serial),
        assurance_level=wanted.assurance_level,
        state__in=[IssueState.BOUND.value, IssueState.PROPOSED.value],
        created_at__gt=now - visits.SECOND_CLICK,
    )
    issue = rows.order_by("-created_at", "-pk").first()
    if issue is None or issue.valid_to != _valid_to(wanted, issue.carrier, issue.post, now):
        return None
    if issue.identity_document != wanted.identity_document:
        return None
    if issue.state == IssueState.BOUND:
        unused = issue.carrier.state == CarrierState.RESERVED
        return HandedOut(issue) if unused and issue.assurance_level < rules.LOA3 else None
    statement = Statement.objects.filter(subject_ref=issue.pk, purpose=PURPOSE).latest("pk")
    return HandedOut(issue, statements.renew(actor, statement.pk, PURPOSE))


def _posts() -> QuerySet[Post]:
    return Post.objects.select_related("person", "organisation__area")


@database.atomic(durable=True)
def _place(actor: Actor, wanted: HandOut) -> HandedOut:
    now = clock.now().replace(microsecond=0)
    list(Person.objects.select_for_update(no_key=True).filter(posts=wanted.post_id).values_list("id"))
    hold_organisations(Post.objects.filter(pk=wanted.post_id).values_list("organisation_id", flat=True))
    post = policy.get(actor, RIGHTS[wanted.assurance_level], _posts(), wanted.post_id)
    order_checks.require_current(post)
    if post.organisation.closed_at is not None:
        raise Conflict("organisation-ended", "Organisationen är avslutad i portalen. Välj ett annat uppdrag.")
    order_checks.require_complete(post)
    carrier = binding.lock_usable(wanted.card_serial, post)
    issue = ReserveCardIssue(
        carrier=carrier,
        person=post.person,
        post=post,
        assurance_level=wanted.assurance_level,
        valid_to=_valid_to(wanted, carrier, post, now),
        officer_ref=actor.ref,
        identity_document=wanted.identity_document,
        created_at=now,
    )
    if wanted.assurance_level < rules.LOA3:
        issue.state, issue.ended_at = IssueState.BOUND.value, now
        issue.eid = binding.bind(issue, carrier, actor_ref=actor.ref)
        if wanted.identity_document:
            issue.identification = identified(actor, carrier, wanted.identity_document)
        steps.begin([issue], "bound", actor_ref=actor.ref, facts=_facts(issue))
        return HandedOut(issue)
    issue.state = IssueState.PROPOSED.value
    issue.waiting_until = now + dt.timedelta(minutes=settings.RESERVE_CARD_APPROVAL_MINUTES)
    steps.begin([issue], "proposed", actor_ref=actor.ref, facts=_facts(issue))
    content = contents.of(issue, Part.FIRST, actor, issue.identity_document)
    return HandedOut(issue, statements.open_for(actor, PURPOSE, issue.pk, content, contents.summary(issue, Part.FIRST)))


def identified(actor: Actor, carrier: Carrier, identity_document: str) -> Identification:
    """Stores the identification of the holder of a card that has just been bound, in the caller's transaction. Raises Invalid if
    the document is not enough for the card.
    """
    found = visits.identified_now(actor, carrier, identity_document)
    visits.store_identification(actor, found)
    return found


def _facts(issue: ReserveCardIssue) -> dict[str, str | int]:
    facts: dict[str, str | int] = {
        "carrier": str(issue.carrier_id),
        "person": str(issue.person_id),
        "hsa_id": issue.post.hsa_id,
        "assurance_level": issue.assurance_level,
        "valid_to": issue.valid_to.isoformat(),
    }
    return facts | ({"identity_document": issue.identity_document} if issue.identity_document else {})


def _valid_to(wanted: HandOut, carrier: Carrier, post: Post, now: dt.datetime) -> dt.datetime:
    """Returns the end of the eID: after the chosen last day, never past the card or the assignment. Raises Invalid."""
    last = proposed_last_day(wanted.assurance_level)
    if not clock.today() <= wanted.last_day <= last:
        message = f"Välj en dag från i dag till och med {last}."
        raise Invalid("last-day", message, fields={"last_day": [message]})
    end = min(each for each in (clock.end_of_day(wanted.last_day), carrier.valid_to, post_ends_at(post)) if each is not None)
    if end <= now:
        raise Conflict("post-ended", "Uppdraget eller kortet har gått ut. Välj ett annat uppdrag eller ett annat kort.")
    return end


def _require_person(live: people.Live, assurance_level: int) -> None:
    """Raises Invalid with all obstacles of the person. Level 2 needs neither personnummer nor address (rules/issuance 5.7)."""
    found = set(order_checks.obstacles(live, assurance_level=assurance_level))
    if assurance_level < rules.LOA3:
        found -= {rules.Obstacle.NO_ADDRESS}
    if found:
        age = order_checks.age_limits().for_level(assurance_level)
        texts = [_OBSTACLES[name].format(age=age, level=assurance_level) for name in rules.Obstacle if name in found]
        raise Invalid("person-not-for-level", texts[0], fields={"assurance_level": texts})


# --- the first officer's statement -----------------------------------------------------------------------------------------


def require_first(statement: Statement) -> None:
    """Raises Conflict, NotFound or Forbidden unless the first officer may still sign the hand-out."""
    issue = ReserveCardIssue.objects.select_related("post").get(pk=statement.subject_ref)
    if issue.state != IssueState.PROPOSED:
        raise contents.ended()
    officer = actor_of_person(person_of(issue.officer_ref))
    policy.require(officer, RIGHTS[issue.assurance_level], issue.post)


def first_signed(statement: Statement) -> None:
    """Puts the hand-out in the queue for a second officer, in the transaction that stores the signature."""
    issue = ReserveCardIssue.objects.select_for_update(of=("self",), no_key=True).get(pk=statement.subject_ref)
    now = clock.now()
    steps.step(
        [issue],
        IssueAction.SIGN,
        actor_ref=issue.officer_ref,
        facts={"transaction": str(statement.pk)},
        first_statement=statement,
        waiting_since=now,
        waiting_until=now + dt.timedelta(minutes=settings.RESERVE_CARD_APPROVAL_MINUTES),
    )
