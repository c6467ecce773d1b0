"""Functions shared by both sides of an eID app transaction: secrets, times, end."""

import datetime as dt
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Min

from issuance.activation.domain.card_reports import CardReport
from issuance.activation.domain.transaction_states import OPEN, TransactionAction, TransactionKind, TransactionState
from issuance.activation.models import EidAppTransaction, Identification, PreparedReceipt, Statement
from issuance.authz import Actor, holder
from issuance.authz.actor import CARD_PREFIX, HOLDER_PREFIX
from issuance.carriers import services as carriers
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.domain.kinds import Function
from issuance.carriers.models import Carrier
from issuance.orders.models.eid_orders import EidOrder
from issuance.records.services import steps
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, Unauthenticated

type Facts = dict[str, Any] | None

_PREFIX = {
    TransactionKind.ACTIVATE: "act",
    TransactionKind.SIGN: "sig",
    TransactionKind.UNLOCK: "unl",
    TransactionKind.FETCH: "fet",
}
_OWN_PREFIX = {
    TransactionKind.ACTIVATE: "oac",
    TransactionKind.SIGN: "osi",
    TransactionKind.UNLOCK: "oun",
    TransactionKind.FETCH: "fet",
}
"""The prefixes of handles that Mina sidor shows: the app chooses its own address of the site by the prefix."""

_HANDLE = re.compile(rf"(?:{'|'.join((*_PREFIX.values(), *_OWN_PREFIX.values()))})\.[A-Za-z0-9_-]{{22}}")
_FUNCTIONS = {
    TransactionKind.ACTIVATE: Function.ACTIVATE,
    TransactionKind.SIGN: Function.ACTIVATE,
    TransactionKind.UNLOCK: Function.UNLOCK,
}
"""The function of a carrier that each kind of transaction carries out."""


@dataclass(frozen=True)
class _Again:
    """How the holder goes on with a transaction that has ended, and how to begin again."""

    reopen: str
    restart: str


_PORTAL_AGAIN = _Again(reopen="Be ID-administratören öppna appen igen.", restart="Be ID-administratören börja om.")
_OWN_AGAIN = _Again(reopen="Öppna appen igen från Mina sidor.", restart="Börja om på Mina sidor.")


@dataclass(frozen=True)
class _Errand:
    """What transactions are for: the errand as a noun, what can happen to the card, how to go on and to begin again, and the
    purpose for which the card is asked for, as the events of `pki` name it (S24).
    """

    noun: str
    can_be: str
    again: _Again
    purpose: str


_ACTIVATION = _Errand("Aktiveringen", "aktiveras", _PORTAL_AGAIN, "activation")
_OWN_ACTIVATION = _Errand("Aktiveringen", "aktiveras", _OWN_AGAIN, "activation")
_UNLOCKING = _Errand("Upplåsningen", "låsas upp", _PORTAL_AGAIN, "unlocking")
_OWN_UNLOCKING = _Errand("Upplåsningen", "låsas upp", _OWN_AGAIN, "unlocking")
_STATEMENT = _Errand("Underskriften", "användas", _PORTAL_AGAIN, "statement")
_OWN_STATEMENT = _Errand("Underskriften", "användas", _OWN_AGAIN, "statement")
_FETCHING = _Errand("Hämtningen", "få SITHS eID:t", _OWN_AGAIN, "fetching")

_OPEN = [state.value for state in OPEN]
_ENDED = {
    TransactionState.COMPLETED: "{errand} är redan klar.",
    TransactionState.CANCELLED: "{errand} är avbruten. {reopen}",
    TransactionState.EXPIRED: "Tiden har gått ut. {reopen}",
    TransactionState.FAILED: "{errand} har stoppats. {restart}",
    TransactionState.SUPERSEDED: "{errand} har ersatts av en nyare. Använd länken som visas i portalen nu.",
}


def function_of(transaction: EidAppTransaction) -> Function | None:
    """Returns the function of a carrier that is carried out by the transaction, or None for a statement and for an eID that the
    holder fetches.
    """
    nobody_allows = transaction.identification_id is None and transaction.ground_id is None
    return None if nobody_allows else _FUNCTIONS[TransactionKind(transaction.kind)]


def is_statement(transaction: EidAppTransaction) -> bool:
    """Returns whether an officer or a holder signs a statement by the transaction."""
    return transaction.identification_id is None and transaction.kind == TransactionKind.SIGN


def is_by_card(transaction: EidAppTransaction) -> bool:
    """Returns whether a session of the card opened the transaction, for its holder on Mina sidor."""
    return transaction.officer_ref.startswith(CARD_PREFIX)


def kinds_of(function: Function) -> list[str]:
    """Returns the kinds of transactions that carry out the function."""
    return [kind.value for kind, its_function in _FUNCTIONS.items() if its_function is function]


def new_handle(kind: TransactionKind, origin: str) -> str:
    """Returns a handle of 128 random bits; its prefix names the transaction's kind and the site that shows it."""
    prefixes = _PREFIX if origin == settings.PORTAL_BASE_URL else _OWN_PREFIX
    return f"{prefixes[kind]}.{secrets.token_urlsafe(16)}"


def is_handle(text: str) -> bool:
    """Returns True if the text has the form of a handle."""
    return _HANDLE.fullmatch(text) is not None


def digest(secret: str) -> str:
    """Returns the hash that is stored of a handle or a step token."""
    return sha256_hex(secret.encode())


def handle_end() -> dt.datetime:
    """Returns the end of a handle created now."""
    return clock.now() + dt.timedelta(seconds=settings.ACTIVATION_HANDLE_SECONDS)


def begin(
    kind: TransactionKind,
    carrier: Carrier,
    identification: Identification | None,
    *,
    officer_ref: str,
    transaction_id: UUID,
    terms_sha256: str = "",
    content_sha256: str = "",
    origin: str = "",
    eid_order: EidOrder | None = None,
    ground: Statement | None = None,
) -> tuple[EidAppTransaction, str]:
    """Inserts a transaction for a locked card in the caller's transaction, and returns it with its handle. `origin` is that of
    the site that shows the handle, by default the portal's.
    """
    origin = origin or settings.PORTAL_BASE_URL
    handle = new_handle(kind, origin)
    row = EidAppTransaction(
        id=transaction_id,
        carrier=carrier,
        identification=identification,
        eid_order=eid_order,
        ground=ground,
        kind=kind.value,
        state=TransactionState.CREATED.value,
        officer_ref=officer_ref,
        origin=origin,
        handle_sha256=digest(handle),
        terms_sha256=terms_sha256,
        content_sha256=content_sha256,
        created_at=clock.now(),
        expires_at=handle_end(),
    )
    facts = {"carrier": str(carrier.pk), "kind": row.kind}
    visit = {"identification": str(identification.pk)} if identification else {}
    visit |= {"statement": str(ground.pk)} if ground else {}
    hashes = {"terms_sha256": terms_sha256, "content_sha256": content_sha256} if content_sha256 else {}
    fetched = {"eid_order": str(eid_order.pk)} if eid_order else {}
    steps.begin([row], "created", actor_ref=officer_ref, facts=facts | visit | hashes | fetched)
    return row, handle


def state_now(transaction: EidAppTransaction) -> TransactionState:
    """Returns the transaction's state. It is EXPIRED as soon as its time is out, even before the sweeper runs."""
    state = TransactionState(transaction.state)
    return TransactionState.EXPIRED if state in OPEN and transaction.expires_at <= clock.now() else state


def require_open(transaction: EidAppTransaction) -> None:
    """Raises Conflict, with advice, unless the transaction is open."""
    state = state_now(transaction)
    if state not in OPEN:
        again = _errand(transaction).again
        text = _ENDED[state].format(errand=errand(transaction), reopen=again.reopen, restart=again.restart)
        raise Conflict("transaction-ended", text)


def errand(transaction: EidAppTransaction) -> str:
    """Returns what the transaction is for, as the first word of a sentence."""
    return _errand(transaction).noun


def _errand(transaction: EidAppTransaction) -> _Errand:
    if transaction.kind == TransactionKind.FETCH:
        return _FETCHING
    function = function_of(transaction)
    if transaction.ground_id is not None:
        return _OWN_UNLOCKING
    if is_by_card(transaction):
        return _OWN_ACTIVATION
    if function is None:
        return _OWN_STATEMENT if transaction.officer_ref.startswith(HOLDER_PREFIX) else _STATEMENT
    return _UNLOCKING if function is Function.UNLOCK else _ACTIVATION


def not_waiting(transaction: EidAppTransaction) -> Conflict:
    """Returns the error for a card whose state no longer allows the transaction's task."""
    return Conflict(
        "card-not-waiting", f"Kortet kan inte {_errand(transaction).can_be} längre. Kontrollera kortets status i portalen."
    )


def purpose(transaction: EidAppTransaction) -> str:
    """Returns the purpose for which the card is asked for."""
    return _errand(transaction).purpose


def ended() -> Conflict:
    """Returns the error for a transaction that has ended since it was read."""
    return Conflict("transaction-ended", "Aktiveringen är avslutad. Be ID-administratören öppna appen igen.")


def delivery_of(transaction: EidAppTransaction) -> UUID:
    """Returns the delivery that the worker makes for the start. Raises Conflict if it has ended."""
    if transaction.delivery_id is None:
        raise ended()
    return transaction.delivery_id


def locked(transaction_id: UUID) -> EidAppTransaction:
    """Returns the transaction's row, locked. Callers lock its carrier first."""
    return EidAppTransaction.objects.select_for_update(no_key=True).get(pk=transaction_id)


def by_token(step_token: str) -> EidAppTransaction:
    """Returns the transaction of a step token, with its carrier. Raises Unauthenticated."""
    rows = EidAppTransaction.objects.select_related("carrier", "identification")
    row = rows.filter(step_token_sha256=digest(step_token)).first()
    if row is None:
        raise Unauthenticated("step-token-unknown", "Aktiveringen är okänd. Be ID-administratören öppna appen igen.")
    return row


def locked_with_carrier(seen: EidAppTransaction) -> tuple[Carrier, EidAppTransaction]:
    """Returns the transaction and its carrier, both locked, the carrier first."""
    carrier = Carrier.objects.select_for_update(of=("self",), no_key=True).get(pk=seen.carrier_id)
    return carrier, locked(seen.pk)


def holder_ref(carrier: Carrier) -> str:
    """Returns the actor of events after the card has proven itself."""
    return holder(carrier.holder_id).ref


def still_fits(transaction: EidAppTransaction, carrier: Carrier) -> bool:
    """Returns whether the carrier's state still allows the transaction's task."""
    function = function_of(transaction)
    if function is None:
        return carrier.state == CarrierState.ACTIVE and carrier.valid_to > clock.now()
    if function is Function.ACTIVATE:
        return kind_for(carrier) == transaction.kind
    return kinds.kind_of(carrier.kind).allows(function, carrier.state) and carrier.valid_to > clock.now()


def kind_for(carrier: Carrier) -> TransactionKind | None:
    """Returns the app's next task to activate the carrier, or None. A blocked code is chosen again with the PUK; a card without
    one cannot be helped.
    """
    kind = kinds.kind_of(carrier.kind)
    if not kind.allows(Function.ACTIVATE, carrier.state) or (carrier.is_code_blocked and not kind.needs_puk):
        return None
    if (carrier.state, CarrierAction.SET_CODE) in carrier.transitions or carrier.is_code_blocked:
        return TransactionKind.ACTIVATE
    return TransactionKind.SIGN


def store_report(transaction: EidAppTransaction, report: CardReport, tries_left: int | None = None) -> None:
    """Stores the latest report on a locked transaction, for the clerk's page. Writes no event."""
    transaction.card_report, transaction.card_tries_left = report.value, tries_left
    transaction.card_reported_at = clock.now()
    transaction.save(update_fields=["card_report", "card_tries_left", "card_reported_at"])


def end(transaction: EidAppTransaction, action: TransactionAction, *, actor_ref: str, facts: Facts = None) -> None:
    """Ends a locked transaction and deletes what only it needed: the unsigned receipt, and the delivery of the PUK."""
    steps.step([transaction], action, actor_ref=actor_ref, facts=facts, ended_at=clock.now())
    PreparedReceipt.objects.filter(transaction=transaction).delete()
    if transaction.delivery_id is not None:
        pki.destroy_delivery(transaction.delivery_id)


def end_of_carriers(carrier_ids: Sequence[UUID], action: TransactionAction, *, actor_ref: str, facts: Facts = None) -> None:
    """Ends every open transaction of locked carriers, in the caller's transaction."""
    rows = EidAppTransaction.objects.select_for_update(no_key=True).filter(carrier__in=carrier_ids, state__in=_OPEN)
    for row in rows.order_by("id"):
        end(row, action, actor_ref=actor_ref, facts=facts)


def oldest_open() -> list[tuple[str, dt.datetime]]:
    """Returns references of clerks with open transactions, and the start of each clerk's oldest one."""
    opened = EidAppTransaction.objects.filter(state__in=_OPEN)
    return list(opened.values_list("officer_ref").annotate(begun=Min("created_at")).order_by("officer_ref"))


def end_of_officer(officer: Actor, *, actor_ref: str) -> int:
    """Ends the open transactions of a clerk whose roles in `officer` no longer cover their cards (S06), in the caller's
    transaction. Locks the cards first. Returns how many it ended.
    """
    opened = EidAppTransaction.objects.filter(officer_ref=officer.ref, state__in=_OPEN, identification__isnull=False)
    carrier_ids = list(opened.order_by("carrier_id").values_list("carrier_id", flat=True))
    if not carrier_ids:
        return 0
    list(Carrier.objects.select_for_update(no_key=True).filter(pk__in=carrier_ids).order_by("id").values_list("pk"))
    functions = (Function.ACTIVATE, Function.UNLOCK)
    ended_now = [row for function in functions for row in _out_of_reach(officer, function) if row.carrier_id in carrier_ids]
    for row in ended_now:
        end(row, TransactionAction.FAIL, actor_ref=actor_ref, facts={"reason": "role-ended"})
    return len(ended_now)


def _out_of_reach(officer: Actor, function: Function) -> list[EidAppTransaction]:
    """Returns the clerk's open transactions of the function, locked, whose cards their roles do not cover."""
    rows = EidAppTransaction.objects.select_for_update(no_key=True).filter(
        officer_ref=officer.ref, state__in=_OPEN, identification__isnull=False
    )
    reached = carriers.reached(officer, function).values("pk")
    return list(rows.filter(kind__in=kinds_of(function)).exclude(carrier__in=reached).order_by("id"))
