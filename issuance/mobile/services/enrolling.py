"""The holder's side of getting a mobile eID, on Mina sidor (rules/issuance 5.12): terms, a second log-in, the start code.

The device's side is `device_app`. The issuing organisation is that of the eID that the holder logged in with.
"""

import datetime as dt
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import transaction as database

from authn import service as authn
from issuance.activation.services import receipts
from issuance.authz import Action, Actor, holder, policy
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.references import carrier_id_of
from issuance.carriers.models import Carrier
from issuance.mobile.domain import terms
from issuance.mobile.domain.states import OPEN, EnrolmentAction, EnrolmentState, Refusal
from issuance.mobile.models import MobileEnrolment
from issuance.mobile.services import ending, enrolments
from issuance.orders.domain.rules import LOA3
from issuance.people.models.persons import Person
from issuance.records.models.events import Document
from issuance.records.services import steps
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, TooManyRequests

LEVEL_3_MEANS = ("loa3", "reserve-loa3")
"""The means of log-ins on Mina sidor that may get a mobile eID; `minasidor.domain.OFFERED` says the same."""

MOST_A_DAY = 10
"""How often a holder may begin an enrolment, or be refused one, in 24 hours (S47)."""

SHARED = "Mobilt SITHS får bara finnas på en enhet som du ensam använder. Ingen kan garantera att det raderas före nästa person."


@dataclass(frozen=True)
class LoggedIn:
    """The holder's log-in: its session, its moment, and the reference of what was logged in with, if that is known."""

    session_id: UUID
    at: dt.datetime
    credential_ref: str = ""


@dataclass(frozen=True)
class Offered:
    """An enrolment that waits for a device, with its start code, which is not stored."""

    enrolment: MobileEnrolment
    handle: str = field(repr=False)


@database.atomic(durable=True)
def accept(*, actor: Actor, log_in: LoggedIn) -> MobileEnrolment:
    """Records that the holder accepts the terms, and begins an enrolment, which supersedes an open one of theirs.

    Raises Conflict: no eID on level 3 to get it by (`no-first-eid`), as many mobile eIDs as allowed, a deceased person. Raises
    TooManyRequests beyond MOST_A_DAY.
    """
    person = _locked_person(actor)
    _require_not_too_often(person)
    first = first_eid(person, log_in)
    enrolments.require_room(person.pk)
    opened = MobileEnrolment.objects.filter(person=person, state__in=[state.value for state in OPEN]).first()
    if opened is not None:
        ending.abandon(enrolments.locked(opened), EnrolmentAction.SUPERSEDE, actor_ref=actor.ref)
    accepted = terms.text_with(receipts.current_terms().text)
    row = _row(person, first, log_in, EnrolmentState.ACCEPTED)
    row.terms = Document.store(accepted.encode(), "text/plain; charset=utf-8")
    facts = {"organisation": str(first.organisation_id), "logged_in_with": str(first.pk), "terms_sha256": row.terms.sha256}
    steps.begin([row], "accepted", actor_ref=actor.ref, facts=facts)
    return row


@database.atomic(durable=True)
def refuse_shared(*, actor: Actor, log_in: LoggedIn) -> MobileEnrolment:
    """Records that the holder was refused, because others use the device too. Raises Conflict and TooManyRequests as `accept`."""
    person = _locked_person(actor)
    _require_not_too_often(person)
    row = _row(person, first_eid(person, log_in), log_in, EnrolmentState.REFUSED)
    row.refusal, row.ended_at = Refusal.SHARED.value, clock.now()
    steps.begin([row], "refused", actor_ref=actor.ref, facts={"reason": row.refusal})
    return row


@database.atomic(durable=True)
def offer(*, actor: Actor, enrolment_id: UUID, log_in: LoggedIn) -> Offered:
    """Gives the start code for one device, for MOBILE_HANDLE_SECONDS; an earlier one of the enrolment is void.

    Raises NotFound, and Conflict: no log-in after the terms (`second-log-in`), ended, taken by a device, another session, as many
    mobile eIDs as allowed, the first eID no longer valid.
    """
    row = enrolments.locked(seen(actor, enrolment_id))
    enrolments.require_open(row)
    if EnrolmentState(row.state) not in (EnrolmentState.ACCEPTED, EnrolmentState.OFFERED):
        raise Conflict("enrolment-started", "En enhet har redan läst av koden. Fortsätt i appen, eller avbryt och börja om.")
    if row.session_id != log_in.session_id:
        raise Conflict("another-session", "Du började i en annan inloggning. Börja om här.")
    if not is_second(row, log_in.at):
        raise Conflict("second-log-in", "Logga in en gång till för att se koden.")
    require_first_eid(row)
    enrolments.require_room(row.person_id)
    handle = enrolments.new_handle()
    ends = clock.now() + dt.timedelta(seconds=settings.MOBILE_HANDLE_SECONDS)
    steps.step(
        [row],
        EnrolmentAction.OFFER,
        actor_ref=actor.ref,
        second_log_in_at=log_in.at,
        handle_sha256=enrolments.digest(handle),
        expires_at=ends,
    )
    return Offered(row, handle)


@database.atomic(durable=True)
def cancel(*, actor: Actor, enrolment_id: UUID) -> MobileEnrolment:
    """Cancels an open enrolment of the holder; an ended one stays as it is. Raises NotFound."""
    row = enrolments.locked(seen(actor, enrolment_id))
    if EnrolmentState(row.state) in OPEN:
        ending.abandon(row, EnrolmentAction.CANCEL, actor_ref=actor.ref, facts={"by": "holder"})
    return row


def seen(actor: Actor, enrolment_id: UUID) -> MobileEnrolment:
    """Returns one of the holder's enrolments. Raises NotFound, also for another person's."""
    rows = MobileEnrolment.objects.select_related("organisation", "carrier")
    return policy.get(actor, Action.ENROL_MOBILE_EID, rows, enrolment_id)


def is_second(row: MobileEnrolment, log_in_at: dt.datetime) -> bool:
    """Returns whether this log-in came after the terms were accepted. Providers give whole seconds."""
    return log_in_at > row.logged_in_at and log_in_at >= row.created_at.replace(microsecond=0)


def is_logged_in(row: MobileEnrolment) -> bool:
    """Returns whether the second log-in came after the terms, on level 3, and the holder has not logged out since."""
    second = row.second_log_in_at
    if second is None or not is_second(row, second):
        return False
    return authn.is_logged_in_since(holder(row.person_id).ref, second, means=LEVEL_3_MEANS)


def first_eid(person: Person, log_in: LoggedIn) -> Carrier:
    """Returns the carrier on level 3 that the holder logged in with. If the provider does not say which, it is the holder's only
    one, or any if all of them have the same issuer. Raises Conflict (`no-first-eid`, `which-first-eid`).
    """
    usable = Carrier.objects.filter(person=person, state=CarrierState.ACTIVE.value, assurance_level__gte=LOA3)
    usable = usable.filter(valid_to__gt=clock.now()).select_related("organisation").order_by("-activated_at", "id")
    if log_in.credential_ref:
        usable = usable.filter(pk__in=[carrier_id_of(log_in.credential_ref)])
    found = list(usable)
    if not found:
        message = "Du behöver ett giltigt kort på tillitsnivå 3 för att skaffa Mobilt SITHS. Logga in med det."
        raise Conflict("no-first-eid", message)
    if len({carrier.organisation_id for carrier in found}) > 1:
        message = "Du har kort från flera utgivare. Logga in med certifikatet på det kort som ska gälla."
        raise Conflict("which-first-eid", message)
    return found[0]


def require_first_eid(row: MobileEnrolment) -> None:
    """Raises Conflict unless the carrier that the holder logged in with is still valid, and the holder alive."""
    first = Carrier.objects.get(pk=row.logged_in_with_id)
    valid = first.state == CarrierState.ACTIVE and first.valid_to > clock.now() and first.assurance_level >= LOA3
    if not valid or first.person_id != row.person_id or row.person.deceased:
        raise Conflict("no-first-eid", "Kortet som du loggade in med gäller inte längre. Kontakta en ID-administratör.")


def _locked_person(actor: Actor) -> Person:
    person = policy.get(actor, Action.ENROL_MOBILE_EID, Person.objects.all(), actor.person_id or "")
    locked = Person.objects.select_for_update(no_key=True).get(pk=person.pk)
    if locked.deceased:
        raise Conflict("person-deceased", "Personen är avliden enligt personregistret.")
    return locked


def _require_not_too_often(person: Person) -> None:
    begun = MobileEnrolment.objects.filter(person=person, created_at__gt=clock.now() - dt.timedelta(days=1)).count()
    if begun >= MOST_A_DAY:
        message = f"Du har börjat skaffa Mobilt SITHS {MOST_A_DAY} gånger det senaste dygnet. Vänta till i morgon."
        raise TooManyRequests("mobile-enrolments", message, retry_after=3600)


def _row(person: Person, first: Carrier, log_in: LoggedIn, state: EnrolmentState) -> MobileEnrolment:
    now = clock.now()
    return MobileEnrolment(
        person=person,
        organisation=first.organisation,
        logged_in_with=first,
        session_id=log_in.session_id,
        logged_in_at=log_in.at,
        state=state.value,
        created_at=now,
        expires_at=now + dt.timedelta(seconds=settings.MOBILE_HANDLE_SECONDS),
    )
