"""The clerk's side of the activation of an ordinary card (rules/issuance 5.1): identification, and the eID app transaction that
it opens. `activation_app` is the app's side.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import transaction as database
from django.db.models import QuerySet

from issuance.activation.domain.transaction_states import OPEN, TransactionAction, TransactionKind, TransactionState
from issuance.activation.models import EidAppTransaction, Identification
from issuance.activation.services import identifications, receipts, transactions
from issuance.authz import Actor
from issuance.carriers import services as carriers
from issuance.carriers.domain import kinds
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import IDENTITY_DOCUMENTS, Carrier, Eid
from issuance.orders.domain.order_states import OrderState
from issuance.orders.domain.rules import Obstacle
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import order_checks
from issuance.people.services import people
from issuance.records.models.events import Event
from issuance.records.services import steps
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid
from siths_portal.lib.ids import new_id
from siths_portal.lib.registry import Registry

BATCH = 200
REFUSALS = Registry[Callable[[UUID], Conflict | None]]()
"""Functions that return why the carrier with this id must not be activated, or None. Packages above register them."""

SECOND_CLICK = dt.timedelta(seconds=30)
"""Within this time the same request by the same clerk is a repetition (S33); after it a new visit with its own checks."""
_OBSTACLES = {
    Obstacle.DECEASED: "Personen är avliden enligt personregistret. Kortet kan inte aktiveras.",
    Obstacle.NOT_PERSONNUMMER: "Personen saknar personnummer. Kort på tillitsnivå 3 kräver personnummer.",
    Obstacle.TOO_YOUNG: "Kortet kan inte aktiveras. Personen måste ha fyllt {age} år för tillitsnivå {level}.",
}


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


@dataclass(frozen=True)
class _Card:
    """A carrier ready for activation, with the data of its receipt."""

    carrier: Carrier
    order: CardOrder
    eids: list[Eid]
    certificates: Mapping[str, pki.CertificateView]
    kind: TransactionKind

    def receipt_values(self) -> tuple[object, ...]:
        """Returns the values that a receipt for the card contains, to detect changes in the meantime."""
        order, carrier = self.order, self.carrier
        eids = [(eid.pk, eid.state, eid.hsa_id, eid.organisation_id, eid.valid_to) for eid in self.eids]
        certificates = sorted((profile, view.id) for profile, view in self.certificates.items())
        return self.kind, order.pk, order.office_id, carrier.organisation_id, carrier.valid_to, eids, certificates


def identify(*, actor: Actor, carrier_id: UUID, identity_document: str) -> Opened:
    """Records that the holder was identified and opens a transaction for the eID app. First reads assignment and person live.

    Supersedes open transactions of the card, but raises Conflict for one that another clerk's holder has started. The same
    clerk's second click within seconds returns the same transaction with a new handle. Raises NotFound, Forbidden (role, own
    matter), Invalid (identity document), Conflict (an obstacle), Unavailable (external systems, PDF).
    """
    if identity_document not in IDENTITY_DOCUMENTS:
        message = "Välj den id-handling som innehavaren visade."
        raise Invalid("identity-document", message, fields={"identity_document": [message]})
    card = _ready(carriers.get(actor, Function.ACTIVATE, _carriers(), carrier_id))
    if again := _second_click(actor, carrier_id, identity_document):
        return again
    post = card.order.eid.post
    live = people.read_live(post)
    people.remember(post_id=post.id, live=live)
    _check_holder(card, live)
    seen = Identification(
        id=new_id(), carrier=card.carrier, officer_ref=actor.ref, identity_document=identity_document, at=clock.now()
    )
    return _open(actor, card, seen)


def reopen(*, actor: Actor, transaction_id: UUID) -> Opened:
    """Returns a new handle for a transaction whose app window was lost, based on its existing identification.

    A transaction that the app has not started keeps its id. Otherwise a new one replaces it, of kind `sign` if the code is set
    and works; a blocked code is chosen again (ADR 0289). Raises NotFound, Forbidden (another clerk's), Conflict (completed,
    superseded, identification too old).
    """
    seen = carriers.get(actor, Function.ACTIVATE, _transactions_seen(), transaction_id, kind="carrier__kind")
    _require_reopenable(actor, seen)
    card = _ready(carriers.get(actor, Function.ACTIVATE, _carriers(), seen.carrier_id))
    if renewed := _renew(actor, seen.id):
        return renewed
    return _open(actor, card, seen.identification)


def state(*, actor: Actor, transaction_id: UUID) -> TransactionView:
    """Returns the transaction's present state. `transaction.carrier.person` is loaded. Raises NotFound, Forbidden."""
    seen = carriers.get(actor, Function.ACTIVATE, _transactions_seen(), transaction_id, kind="carrier__kind")
    try:
        _require_reopenable(actor, seen)
    except (Conflict, Forbidden):
        may_reopen = False
    else:
        may_reopen = transactions.kind_for(seen.carrier) is not None
    current = transactions.state_now(seen)
    if may_reopen and current not in OPEN:  # a request for a revocation ends open transactions
        may_reopen = _obstacle(seen.carrier_id) is None
    return TransactionView(seen, current, may_reopen, _reopen_until(seen))


@database.atomic(durable=True)
def cancel(*, actor: Actor, transaction_id: UUID) -> EidAppTransaction:
    """Cancels an open transaction; an ended one stays as it is. Raises NotFound, Forbidden, also for another clerk's
    transaction that its holder has started.
    """
    seen = carriers.get(actor, Function.ACTIVATE, _transactions_seen(), transaction_id, kind="carrier__kind")
    Carrier.objects.select_for_update(no_key=True).get(pk=seen.carrier_id)
    row = transactions.locked(seen.id)
    current = transactions.state_now(row)
    if row.officer_ref != actor.ref and current in OPEN and current is not TransactionState.CREATED:
        message = "En annan ID-administratör aktiverar kortet just nu. Vänta, eller be ID-administratören avbryta."
        raise Forbidden("other-clerk", message)
    if TransactionState(row.state) in OPEN:
        transactions.end(row, TransactionAction.CANCEL, actor_ref=actor.ref, facts={"by": "clerk"})
    return row


def end_overdue(*, batch: int = BATCH) -> int:
    """Ends transactions whose time is out, each in its own database transaction, and returns how many. Repeatable."""
    overdue = EidAppTransaction.objects.filter(state__in=[one.value for one in OPEN], expires_at__lte=clock.now())
    ended = 0
    for transaction_id, carrier_id in overdue.order_by("expires_at", "id").values_list("id", "carrier_id")[:batch]:
        ended += _expire(transaction_id, carrier_id)
    return ended


def overdue_count() -> int:
    """Returns how many transactions `end_overdue` would end."""
    return EidAppTransaction.objects.filter(state__in=[one.value for one in OPEN], expires_at__lte=clock.now()).count()


@database.atomic(durable=True)
def _expire(transaction_id: UUID, carrier_id: UUID) -> bool:
    Carrier.objects.select_for_update(no_key=True).get(pk=carrier_id)
    row = transactions.locked(transaction_id)
    if TransactionState(row.state) not in OPEN or row.expires_at > clock.now():
        return False
    transactions.end(row, TransactionAction.EXPIRE, actor_ref="system:expiry")
    return True


def _carriers() -> QuerySet[Carrier]:
    return Carrier.objects.select_related("person", "organisation__area")


def _transactions_seen() -> QuerySet[EidAppTransaction]:
    return EidAppTransaction.objects.select_related("carrier__person", "identification__withdrawal")


def _ready(carrier: Carrier) -> _Card:
    """Returns the carrier with everything that activation needs. Raises Conflict with the first thing missing."""
    kind = transactions.kind_for(carrier)
    if kind is None:
        raise Conflict(f"carrier-{carrier.state.replace('_', '-')}", _NOT_READY.get(carrier.state, _NOT_READY["revoked"]))
    if (obstacle := _obstacle(carrier.pk)) is not None:
        raise obstacle
    orders = CardOrder.objects.with_card("eid__post__organisation").select_related("office", "article")
    order = orders.filter(items__carrier=carrier).first()
    if order is None or order.state != OrderState.SENT:
        raise Conflict("order-not-sent", "Kortleverantören har inte rapporterat kortet som skickat. Kortet kan inte aktiveras.")
    certificates = {view.profile: view for view in pki.certificates(_certificate_ids(carrier))}
    if not carrier.card_key_spki or set(certificates) != set(kinds.kind_of(carrier.kind).profiles()):
        message = "Kortet är inte tillverkat för den här portalen och kan inte aktiveras. Beställ ett nytt kort."
        raise Conflict("card-without-key", message)
    now = clock.now()
    if any(view.status != "issued" or view.der is None or view.not_after <= now for view in certificates.values()):
        raise Conflict("certificates-not-in-force", "Alla certifikat på kortet är inte giltiga. Kortet kan inte aktiveras.")
    if kind is TransactionKind.ACTIVATE and not _puk_is_sealed(carrier):
        raise Conflict("puk-missing", "Portalen har inte fått kortets upplåsningskod (PUK) än. Försök igen om en stund.")
    eids = list(Eid.objects.filter(carrier=carrier).select_related("organisation").order_by("id"))
    return _Card(carrier, order, eids, certificates, kind)


def _obstacle(carrier_id: UUID) -> Conflict | None:
    """Returns a registered package's reason against the activation of the carrier, or None."""
    return next((obstacle for refusal in REFUSALS if (obstacle := refusal(carrier_id)) is not None), None)


_NOT_READY = {
    "ordered": "Kortet är beställt men inte skickat än. Det kan inte aktiveras.",
    "active": "Kortet är redan aktiverat.",
    "revoked": "Kortet är ogiltigt och kan inte aktiveras. Beställ ett nytt kort.",
}


def _certificate_ids(carrier: Carrier) -> list[UUID]:
    profiles = kinds.kind_of(carrier.kind).profiles()
    return list(carrier.certificates.filter(profile__in=profiles).values_list("certificate_id", flat=True))


def _puk_is_sealed(carrier: Carrier) -> bool:
    return carrier.puk_secret_id is not None and pki.secret_state(carrier.puk_secret_id) == "sealed"


def _check_holder(card: _Card, live: people.Live) -> None:
    """Raises Conflict unless assignment and person, as read live, still allow the card. An address is no longer needed."""
    post = card.order.eid.post
    post.refresh_from_db()
    order_checks.require_current(post)
    level = card.carrier.assurance_level
    age = order_checks.age_limits().for_level(level)
    found = order_checks.obstacles(live, assurance_level=level)
    for obstacle in found:
        if obstacle in _OBSTACLES:
            raise Conflict(obstacle.value, _OBSTACLES[obstacle].format(age=age, level=level))


def _second_click(actor: Actor, carrier_id: UUID, identity_document: str) -> Opened | None:
    """Returns the transaction of the first click if this one repeats it (S33)."""
    found = _clicked_just_before(clock.now(), actor, carrier_id, identity_document).first()
    return _renew(actor, found.id) if found else None


def _clicked_just_before(at: dt.datetime, actor: Actor, carrier_id: UUID, identity_document: str) -> QuerySet[EidAppTransaction]:
    """Returns unstarted transactions that the clerk opened for the card, by the same document, in the seconds before `at`."""
    return EidAppTransaction.objects.filter(
        carrier=carrier_id,
        state=TransactionState.CREATED.value,
        officer_ref=actor.ref,
        identification__identity_document=identity_document,
        identification__at__gt=at - SECOND_CLICK,
        expires_at__gt=clock.now(),
    )


def _renew(actor: Actor, transaction_id: UUID) -> Opened | None:
    """Returns a new handle for a transaction that waits for the app, or None if it does not wait."""
    with database.atomic(durable=True):
        seen = carriers.get(actor, Function.ACTIVATE, _transactions_seen(), transaction_id, kind="carrier__kind")
        Carrier.objects.select_for_update(no_key=True).get(pk=seen.carrier_id)
        row = transactions.locked(seen.id)
        if transactions.state_now(row) is not TransactionState.CREATED:
            return None
        return _give_handle(actor, row)


def _give_handle(actor: Actor, row: EidAppTransaction) -> Opened:
    handle = transactions.new_handle(TransactionKind(row.kind))
    steps.step(
        [row],
        TransactionAction.RENEW_HANDLE,
        actor_ref=actor.ref,
        handle_sha256=transactions.digest(handle),
        expires_at=transactions.handle_end(),
    )
    return Opened(row, handle)


def _require_reopenable(actor: Actor, row: EidAppTransaction) -> None:
    current = transactions.state_now(row)
    if current in (TransactionState.COMPLETED, TransactionState.SUPERSEDED):
        transactions.require_open(row)
    if row.officer_ref != actor.ref:
        message = "En annan ID-administratör identifierade innehavaren. Identifiera innehavaren själv för att fortsätta."
        raise Forbidden("other-clerk", message)
    _require_not_withdrawn(row.identification)
    if clock.now() >= _reopen_until(row):
        raise Conflict("identification-old", "Identifieringen är för gammal. Identifiera innehavaren igen.")


def _require_not_withdrawn(identification: Identification) -> None:
    if identifications.is_withdrawn(identification):
        message = "Identifieringen är återtagen. Identifiera innehavaren igen."
        raise Conflict("identification-withdrawn", message)


def _reopen_until(row: EidAppTransaction) -> dt.datetime:
    return row.identification.at + dt.timedelta(minutes=settings.ACTIVATION_IDENTIFICATION_MINUTES)


def _open(actor: Actor, card: _Card, identification: Identification) -> Opened:
    """Prepares the receipt, then opens its transaction if the card is unchanged."""
    transaction_id, receipt_id = new_id(), new_id()
    subject = receipts.Subject(
        receipt_id=receipt_id,
        transaction_id=transaction_id,
        carrier=card.carrier,
        order=card.order,
        eids=card.eids,
        certificates=card.certificates,
        identification=identification,
        officer=actor,
    )
    return _begin(actor, transaction_id, card, identification, receipts.prepare(subject))


@database.atomic(durable=True)
def _begin(actor: Actor, transaction_id: UUID, card: _Card, identification: Identification, draft: receipts.Draft) -> Opened:
    rows = _carriers().select_for_update(of=("self",), no_key=True)
    carrier = carriers.get(actor, Function.ACTIVATE, rows, card.carrier.pk)
    now_ready = _ready(carrier)
    if now_ready.receipt_values() != card.receipt_values():
        raise Conflict("carrier-changed", "Kortet har ändrats under tiden. Ladda om sidan.")
    if again := _first_of_two_clicks(actor, carrier, identification):
        return _give_handle(actor, again)
    if not identification._state.adding:
        identification.refresh_from_db()  # it may have been withdrawn since it was read
        _require_not_withdrawn(identification)
    _supersede_earlier(actor, carrier)
    if identification._state.adding:
        identification.save()
        _record_identification(actor, identification)
    handle = transactions.new_handle(card.kind)
    row = EidAppTransaction(
        id=transaction_id,
        carrier=carrier,
        identification=identification,
        kind=card.kind.value,
        state=TransactionState.CREATED.value,
        officer_ref=actor.ref,
        origin=settings.PORTAL_BASE_URL,
        handle_sha256=transactions.digest(handle),
        terms_sha256=draft.content["terms"]["sha256"],
        content_sha256=draft.content_sha256,
        created_at=clock.now(),
        expires_at=transactions.handle_end(),
    )
    facts = {"carrier": str(carrier.pk), "kind": row.kind, "identification": str(identification.pk)}
    hashes = {"terms_sha256": row.terms_sha256, "content_sha256": row.content_sha256}
    steps.begin([row], "created", actor_ref=actor.ref, facts=facts | hashes)
    receipts.store_draft(draft, row)
    return Opened(row, handle)


def _first_of_two_clicks(actor: Actor, carrier: Carrier, identification: Identification) -> EidAppTransaction | None:
    """Returns the transaction, locked, that another click of the same clerk opened in the meantime."""
    if not identification._state.adding:
        return None
    rows = _clicked_just_before(identification.at, actor, carrier.pk, identification.identity_document)
    return rows.select_for_update(of=("self",), no_key=True).first()


def _supersede_earlier(actor: Actor, carrier: Carrier) -> None:
    """Ends the card's open transactions. Raises Conflict if another clerk's holder has started one."""
    rows = EidAppTransaction.objects.select_for_update(no_key=True).filter(carrier=carrier, state__in=[s.value for s in OPEN])
    for row in rows:
        current = transactions.state_now(row)
        if current is TransactionState.EXPIRED:
            transactions.end(row, TransactionAction.EXPIRE, actor_ref="system:expiry")
            continue
        if row.officer_ref != actor.ref and current is not TransactionState.CREATED:
            message = "Kortet aktiveras just nu hos en annan ID-administratör. Vänta tills det är klart eller avbrutet."
            raise Conflict("activation-under-way", message)
        transactions.end(row, TransactionAction.SUPERSEDE, actor_ref=actor.ref)


def _record_identification(actor: Actor, identification: Identification) -> None:
    Event.record(
        actor_ref=actor.ref,
        action="holder.identified",
        subject_type="identification",
        subject_ref=str(identification.pk),
        facts={
            "carrier": str(identification.carrier_id),
            "identity_document": identification.identity_document,
            "identified_at": identification.at.isoformat(),
        },
    )
