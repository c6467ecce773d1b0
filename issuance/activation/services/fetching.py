"""The holder's side of fetching an ordered eID onto a card in use, on Mina sidor (rules/issuance 5.10): the eID app transaction.

`fetch_certificates` and `fetch_app` are the app's side. There is no visit: the card proves itself, and the holder signs with its
code.
"""

from uuid import UUID

from django.conf import settings
from django.db import transaction as database
from django.db.models import QuerySet

from issuance.activation.domain.transaction_states import OPEN, TransactionAction, TransactionKind, TransactionState
from issuance.activation.models import CertificateRequest, EidAppTransaction
from issuance.activation.services import transactions, visits
from issuance.activation.services.visits import Opened
from issuance.authz import Action, Actor, policy
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier
from issuance.orders.domain.eid_order_states import EidOrderState
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.services import eid_orders, order_checks
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, DomainError, NotFound
from siths_portal.lib.ids import new_id


@database.atomic(durable=True)
def open_for(*, actor: Actor, order_id: UUID) -> Opened:
    """Opens a transaction of the eID app in which the holder fetches the eID of a waiting order.

    Supersedes the holder's own open transaction for the card. Raises NotFound (another person's, unknown), Conflict (the order no
    longer waits, the card is not in use, an officer helps with the card just now, or a revocation waits).
    """
    seen = policy.get(actor, Action.FETCH_EID, EidOrder.objects.all(), order_id)
    carrier = Carrier.objects.select_for_update(of=("self",), no_key=True).select_related("person").get(pk=seen.carrier_id)
    order = _orders().select_for_update(of=("self",), no_key=True).get(pk=seen.pk)
    require_waiting(order, carrier)
    if (found := visits.obstacle(carrier.pk)) is not None:
        raise found
    visits.supersede_earlier(actor, carrier)
    row, handle = transactions.begin(
        TransactionKind.FETCH,
        carrier,
        None,
        officer_ref=actor.ref,
        transaction_id=new_id(),
        origin=settings.MINASIDOR_BASE_URL,
        eid_order=order,
    )
    return Opened(row, handle)


def seen(actor: Actor, transaction_id: UUID) -> EidAppTransaction:
    """Returns a transaction that the holder opened, with its order. Raises NotFound for anybody else's."""
    rows = EidAppTransaction.objects.select_related("carrier__person", "eid_order__organisation")
    found = rows.filter(pk=transaction_id, kind=TransactionKind.FETCH.value, officer_ref=actor.ref).first()
    if found is None:
        raise NotFound("not-found", "Hämtningen finns inte.")
    return found


@database.atomic(durable=True)
def renew(*, actor: Actor, transaction_id: UUID) -> Opened:
    """Returns a new handle for a transaction that waits for the app. Raises NotFound, Conflict if it no longer waits."""
    found = seen(actor, transaction_id)
    _, row = transactions.locked_with_carrier(found)
    transactions.require_open(row)
    if row.state != TransactionState.CREATED:
        raise Conflict("fetch-under-way", "Appen är redan öppnad. Fortsätt i den, eller avbryt och börja om.")
    return visits.give_handle(actor, row)


@database.atomic(durable=True)
def cancel(*, actor: Actor, transaction_id: UUID) -> EidAppTransaction:
    """Cancels an open transaction of the holder; an ended one stays as it is. Raises NotFound."""
    found = seen(actor, transaction_id)
    _, row = transactions.locked_with_carrier(found)
    if TransactionState(row.state) in OPEN:
        transactions.end(row, TransactionAction.CANCEL, actor_ref=actor.ref, facts={"by": "holder"})
    return row


def require_waiting(order: EidOrder, carrier: Carrier) -> None:
    """Raises Conflict unless the order, with its assignment, waits for the holder, and the card is in use.

    An eID that was begun earlier for the order must still be waiting: the holder goes on with its keys.
    """
    if order.state != EidOrderState.ORDERED or order.expires_at <= clock.now():
        raise Conflict("eid-order-ended", "Beställningen väntar inte längre. Be om en ny beställning.")
    eid_orders.require_usable(carrier, order)
    order_checks.require_current(order.post)
    begun = CertificateRequest.objects.filter(eid_order=order).exclude(eid__state=EidState.ORDERED.value)
    if begun.exists():
        raise Conflict("eid-order-ended", "SITHS eID:t är spärrat. Be om en ny beställning.")


def still_fits(row: EidAppTransaction, carrier: Carrier) -> bool:
    """Returns whether the order of the transaction still waits on the carrier."""
    try:
        require_waiting(order_of(row), carrier)
    except DomainError:
        return False
    return True


def order_of(row: EidAppTransaction) -> EidOrder:
    """Returns the order whose eID the transaction fetches, with its assignment. Raises ValueError for another kind."""
    if row.eid_order_id is None:
        raise ValueError(f"the transaction {row.pk} fetches no eID")
    return _orders().get(pk=row.eid_order_id)


def end_of_orders(orders: list[EidOrder], *, actor_ref: str) -> None:
    """Ends the open transactions of orders that no longer wait, in the caller's transaction, which has locked their carriers."""
    opened = EidAppTransaction.objects.filter(eid_order__in=orders, state__in=[state.value for state in OPEN])
    for row in opened.select_for_update(no_key=True).order_by("id"):
        transactions.end(row, TransactionAction.FAIL, actor_ref=actor_ref, facts={"reason": "eid-order-ended"})


def _orders() -> QuerySet[EidOrder]:
    rows = EidOrder.objects.select_related("carrier", "post__organisation", "post__person", "organisation")
    return rows.defer("carrier__card_key_spki")
