"""The visit behind an eID app transaction, whatever its kind: the identification of the holder, the handle, and the officer who
alone continues it. `activation` and `unlocking` are the errands.
"""

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cache
from uuid import UUID

from django.conf import settings
from django.db import transaction as database
from django.db.models import QuerySet

from issuance.activation.domain.identity_documents import ATTESTATION, DOCUMENTS
from issuance.activation.domain.transaction_states import OPEN, TransactionAction, TransactionKind, TransactionState
from issuance.activation.models import EidAppTransaction, Identification
from issuance.activation.services import attesting, identifications, transactions
from issuance.activation.services.attesting import Attested
from issuance.authz import Actor, policy
from issuance.carriers import services as carriers
from issuance.carriers.domain import kinds
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import Carrier
from issuance.orders.domain.rules import LOA3
from issuance.records.models.events import Event
from issuance.records.services import steps
from issuance.roles.services.actors import actor_of_person
from issuance.roles.services.subjects import person_of
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, TooManyRequests
from siths_portal.lib.http.rate_limits import MinuteBudget, organisation
from siths_portal.lib.ids import new_id
from siths_portal.lib.registry import Registry

REFUSALS = Registry[Callable[[UUID], Conflict | None]]()
"""Functions that return why the carrier with this id must not be activated or unlocked, or None. Packages above register them."""

_OPENED = MinuteBudget()
SECOND_CLICK = dt.timedelta(seconds=30)
"""Within this time the same request by the same clerk is a repetition (S33); after it a new visit with its own checks."""


@dataclass(frozen=True)
class Opened:
    """A transaction that the app may start with `handle`. The handle is returned only here; `link` opens the app with it."""

    transaction: EidAppTransaction
    handle: str = field(repr=False)

    @property
    def link(self) -> str:
        """Returns the app's URL with the handle after `#`, which browsers do not send to the server."""
        return f"{settings.EID_APP_URL}#{self.handle}"


@dataclass(frozen=True)
class TransactionView:
    """A transaction for the clerk's page. `state` is `expired` as soon as the time is out. `may_reopen` means that the asking
    clerk may get a new handle, until `reopen_until`.
    """

    transaction: EidAppTransaction
    state: TransactionState
    may_reopen: bool
    reopen_until: dt.datetime

    @property
    def is_open(self) -> bool:
        """Returns True while the transaction can still continue."""
        return self.state in OPEN


def require_document(identity_document: str, known: Collection[str] = DOCUMENTS) -> None:
    """Raises Invalid unless the code is one of the `known` ways to identify a person, by default of all (rules/issuance 5.2)."""
    if identity_document not in known:
        message = "Välj den id-handling som innehavaren visade."
        raise Invalid("identity-document", message, fields={"identity_document": [message]})


def identified_now(actor: Actor, carrier: Carrier, identity_document: str, attested: Attested | None = None) -> Identification:
    """Returns an identification by `actor` at this moment, not stored yet. `attested` is what another person attested, where
    nothing else identifies the holder.

    Raises Invalid (field identity_document) if the document is not enough for the carrier's kind and level; at the fields of the
    attestation if it breaks a rule or is missing.
    """
    way = DOCUMENTS[identity_document]
    if not way.is_enough(carrier.kind, carrier.assurance_level):
        message = f"{way.label} räcker inte för det här kortet. Välj en handling som räcker till tillitsnivå {LOA3}."
        if carrier.assurance_level <= way.level:
            message = f"{way.label} räcker bara för reservkort. Välj en id-handling."
        raise Invalid("identity-document-not-enough", message, fields={"identity_document": [message]})
    found = Identification(
        id=new_id(), carrier=carrier, officer_ref=actor.ref, identity_document=identity_document, at=clock.now()
    )
    if identity_document == ATTESTATION:
        attesting.attest(found, attested or attesting.NOTHING, actor=actor)
    return found


def obstacle(carrier_id: UUID) -> Conflict | None:
    """Returns a registered package's reason against the carrier's activation or unlocking, or None."""
    return next((found for refusal in REFUSALS if (found := refusal(carrier_id)) is not None), None)


def officer_may(row: EidAppTransaction, carrier: Carrier) -> bool:
    """Returns whether the clerk who identified the holder still has the right to the transaction's function. True for a holder
    who unlocks their own card, and for one who activates the card by the identification at its hand-out: no clerk takes part.
    """
    if row.ground_id is not None:
        return row.officer_ref == transactions.holder_ref(carrier)
    if transactions.is_by_card(row):
        return row.visit.carrier_id == carrier.pk and not identifications.is_withdrawn(row.visit)
    officer = actor_of_person(person_of(row.officer_ref))
    function = transactions.function_of(row)
    rule = kinds.kind_of(carrier.kind).rule(function) if function else None
    return rule is not None and policy.may(officer, rule.right, carrier)


def require_officer(row: EidAppTransaction, carrier: Carrier) -> None:
    """Raises Conflict unless the clerk who identified the holder may still activate or unlock the card. A dormant role does not
    count (S06).
    """
    if not officer_may(row, carrier):
        if transactions.is_by_card(row):
            raise Conflict("identification-withdrawn", "Du kan inte aktivera kortet själv längre. Gå till en ID-administratör.")
        message = "ID-administratören som identifierade dig har inte längre behörighet. Be en annan ID-administratör börja om."
        raise Conflict("officer-not-allowed", message)


def puk_is_sealed(carrier: Carrier) -> bool:
    """Returns whether the portal keeps the card's PUK."""
    return carrier.puk_secret_id is not None and pki.secret_state(carrier.puk_secret_id) == "sealed"


def seen(actor: Actor, function: Function, transaction_id: UUID) -> EidAppTransaction:
    """Returns a transaction of the function that `actor` may see, with carrier, person and identification. Raises NotFound,
    Forbidden (role, own matter).
    """
    return carriers.get(actor, function, _visits_of(function), transaction_id, kind="carrier__kind")


@cache
def _visits_of(function: Function) -> Callable[[Actor], QuerySet[EidAppTransaction]]:
    """Returns the function whose query `policy.get` compiles once: a page asks every second while the holder is in the app."""
    visits = EidAppTransaction.objects.select_related("carrier__person", "identification__withdrawal")
    kinds_of_it = transactions.kinds_of(function)
    return lambda _actor: visits.filter(kind__in=kinds_of_it, identification__isnull=False)


def second_click(actor: Actor, function: Function, carrier_id: UUID, identity_document: str) -> Opened | None:
    """Returns the transaction of the first click, with a new handle, if this one repeats it (S33). An attestation is a request of
    its own each time, since it says more than which document it was.
    """
    if identity_document == ATTESTATION:
        return None
    found = _clicked_just_before(clock.now(), actor, function, carrier_id, identity_document).first()
    return renew(actor, function, found.id) if found else None


def renew(actor: Actor, function: Function, transaction_id: UUID) -> Opened | None:
    """Returns a new handle for a transaction that waits for the app, or None if it does not wait."""
    with database.atomic(durable=True):
        found = seen(actor, function, transaction_id)
        Carrier.objects.select_for_update(no_key=True).get(pk=found.carrier_id)
        row = transactions.locked(found.id)
        if transactions.state_now(row) is not TransactionState.CREATED:
            return None
        return give_handle(actor, row)


def may_reopen(actor: Actor, row: EidAppTransaction) -> bool:
    """Returns whether `actor` may get a new handle on the ground of the transaction's identification."""
    try:
        require_reopenable(actor, row)
    except (Conflict, Forbidden):
        return False
    return True


def require_reopenable(actor: Actor, row: EidAppTransaction) -> None:
    """Raises Conflict (completed, superseded, identification withdrawn or too old) or Forbidden (another clerk's)."""
    current = transactions.state_now(row)
    if current in (TransactionState.COMPLETED, TransactionState.SUPERSEDED):
        transactions.require_open(row)
    if row.officer_ref != actor.ref:
        message = "En annan ID-administratör identifierade innehavaren. Identifiera innehavaren själv för att fortsätta."
        raise Forbidden("other-clerk", message)
    _require_not_withdrawn(row.visit)
    if clock.now() >= reopen_until(row):
        raise Conflict("identification-old", "Identifieringen är för gammal. Identifiera innehavaren igen.")


def reopen_until(row: EidAppTransaction) -> dt.datetime:
    """Returns the end of the time in which the identification counts."""
    return row.visit.at + dt.timedelta(minutes=settings.ACTIVATION_IDENTIFICATION_MINUTES)


def open_for(
    actor: Actor,
    function: Function,
    carrier: Carrier,
    identification: Identification,
    kind: TransactionKind,
    *,
    transaction_id: UUID,
    terms_sha256: str = "",
    content_sha256: str = "",
    origin: str = "",
) -> Opened:
    """Opens a transaction for a locked card, in the caller's transaction, and stores the identification if it is new. Supersedes
    open transactions of the card. `origin` is that of the site that shows the handle, by default the portal's.

    Returns that of another click by the same clerk instead, whose id is not `transaction_id`, if there was one in the meantime.
    Raises Conflict: the identification was withdrawn, or another clerk's holder has started a transaction. Raises TooManyRequests
    beyond VISITS_PER_MINUTE, or what the actor or the actor's organisation may open in a minute (S47).
    """
    if again := _first_of_two_clicks(actor, function, carrier, identification):
        return give_handle(actor, again)
    _spend(actor)
    if not identification._state.adding:
        identification.refresh_from_db()  # it may have been withdrawn since it was read
        _require_not_withdrawn(identification)
    supersede_earlier(actor, carrier)
    if identification._state.adding:
        store_identification(actor, identification)
    row, handle = transactions.begin(
        kind,
        carrier,
        identification,
        officer_ref=actor.ref,
        transaction_id=transaction_id,
        terms_sha256=terms_sha256,
        content_sha256=content_sha256,
        origin=origin,
    )
    return Opened(row, handle)


def _spend(actor: Actor) -> None:
    """Counts a transaction that `actor` opens, in this process: it may set a code or open a PUK. Raises TooManyRequests."""
    if not _OPENED.take(
        settings.VISITS_PER_MINUTE,
        key=actor.ref,
        most_of_key=settings.VISITS_PER_MINUTE_BY_PERSON,
        group=organisation(actor.hsa_id),
        most_of_group=settings.VISITS_PER_MINUTE_BY_ORGANISATION,
    ):
        message = "Många aktiverar eller låser upp kort just nu. Vänta en minut och försök igen. Inget har ändrats."
        raise TooManyRequests("visit-budget", message, retry_after=int(_OPENED.left()) + 1)


@database.atomic(durable=True)
def cancel(*, actor: Actor, function: Function, transaction_id: UUID) -> EidAppTransaction:
    """Cancels an open transaction; an ended one stays as it is. Raises NotFound, Forbidden, also for another clerk's
    transaction that its holder has started.
    """
    found = seen(actor, function, transaction_id)
    Carrier.objects.select_for_update(no_key=True).get(pk=found.carrier_id)
    row = transactions.locked(found.id)
    current = transactions.state_now(row)
    if row.officer_ref != actor.ref and current in OPEN and current is not TransactionState.CREATED:
        message = "En annan ID-administratör hjälper innehavaren just nu. Vänta, eller be ID-administratören avbryta."
        raise Forbidden("other-clerk", message)
    if TransactionState(row.state) in OPEN:
        transactions.end(row, TransactionAction.CANCEL, actor_ref=actor.ref, facts={"by": "clerk"})
    return row


def _clicked_just_before(
    at: dt.datetime, actor: Actor, function: Function, carrier_id: UUID, identity_document: str
) -> QuerySet[EidAppTransaction]:
    """Returns unstarted transactions that the clerk opened for the card, by the same document, in the seconds before `at`."""
    return EidAppTransaction.objects.filter(
        carrier=carrier_id,
        kind__in=transactions.kinds_of(function),
        state=TransactionState.CREATED.value,
        officer_ref=actor.ref,
        identification__identity_document=identity_document,
        identification__at__gt=at - SECOND_CLICK,
        expires_at__gt=clock.now(),
    )


def _first_of_two_clicks(
    actor: Actor, function: Function, carrier: Carrier, identification: Identification
) -> EidAppTransaction | None:
    """Returns the transaction, locked, that another click of the same clerk opened in the meantime."""
    if not identification._state.adding or identification.identity_document == ATTESTATION:
        return None
    rows = _clicked_just_before(identification.at, actor, function, carrier.pk, identification.identity_document)
    return rows.select_for_update(of=("self",), no_key=True).first()


def give_handle(actor: Actor, row: EidAppTransaction) -> Opened:
    """Gives a locked transaction a new handle, in the caller's transaction. The earlier handle is worthless."""
    handle = transactions.new_handle(TransactionKind(row.kind), row.origin)
    steps.step(
        [row],
        TransactionAction.RENEW_HANDLE,
        actor_ref=actor.ref,
        handle_sha256=transactions.digest(handle),
        expires_at=transactions.handle_end(),
    )
    return Opened(row, handle)


def _require_not_withdrawn(identification: Identification) -> None:
    if identifications.is_withdrawn(identification):
        message = "Identifieringen är återtagen. Identifiera innehavaren igen."
        raise Conflict("identification-withdrawn", message)


def supersede_earlier(actor: Actor, carrier: Carrier) -> None:
    """Ends the open transactions of a locked card. Raises Conflict if another clerk's holder has started one."""
    rows = EidAppTransaction.objects.select_for_update(no_key=True).filter(carrier=carrier, state__in=[s.value for s in OPEN])
    for row in rows:
        current = transactions.state_now(row)
        if current is TransactionState.EXPIRED:
            transactions.end(row, TransactionAction.EXPIRE, actor_ref="system:expiry")
            continue
        if row.officer_ref != actor.ref and current is not TransactionState.CREATED:
            message = "En annan ID-administratör hjälper innehavaren med kortet just nu. Vänta tills det är klart eller avbrutet."
            raise Conflict("activation-under-way", message)
        transactions.end(row, TransactionAction.SUPERSEDE, actor_ref=actor.ref)


def store_identification(actor: Actor, identification: Identification) -> None:
    """Stores a new identification with its attestation, if it has one, and its event, in the caller's transaction."""
    identification.save(force_insert=True)
    attestation = attesting.store(identification)
    Event.record(
        actor_ref=actor.ref,
        action="holder.identified",
        subject_type="identification",
        subject_ref=str(identification.pk),
        facts={
            "carrier": str(identification.carrier_id),
            "identity_document": identification.identity_document,
            "identified_at": identification.at.isoformat(),
            **(attesting.facts(attestation) if attestation else {}),
        },
    )
