"""The check that a PUK letter is ordered, and who prints it (port `pki.ports.LetterOrders`). Runs in the `pki` worker before it
opens the PUK, so that write access to the deliveries yields no PUK (S24).
"""

from uuid import UUID

from authn import service as authn
from issuance.authz import client
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.references import carrier_ref
from issuance.orders.domain.items import LETTER, ItemState
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import OrderItem
from pki import service as pki

_ACCEPTED = (OrderState.ACCEPTED, OrderState.IN_PRODUCTION, OrderState.PRODUCED)


class OrderedLetters:
    """Compares deliveries with the orders of this portal, and the clients' register with both."""

    def recipient(self, letter: pki.Letter) -> pki.LetterRecipient:
        """Returns the supplier of the letter's order with its `letter` certificate, or the reason for none. Runs two queries."""
        item = _item(letter)
        if item is None or item.puk_delivery_id != letter.delivery_id:
            return pki.LetterRecipient(refusal="no-order")
        order = item.order
        if carrier_ref(item.subject_card.pk) != letter.carrier_ref:
            return pki.LetterRecipient(refusal="another-card")
        if not order.supplier_ref or client(order.supplier_ref).ref != letter.requester:
            return pki.LetterRecipient(refusal="another-supplier")
        if item.state != ItemState.WAITING or order.state not in _ACCEPTED or item.subject_card.state != CarrierState.ACTIVE:
            return pki.LetterRecipient(refusal="order-state")
        registered = authn.letter_certificate(order.supplier_ref)
        return pki.LetterRecipient(order.supplier_ref, registered)


def _item(letter: pki.Letter) -> OrderItem | None:
    try:
        order_id, number = UUID(letter.order), int(letter.item)
    except ValueError:
        return None
    rows = OrderItem.objects.select_related("order", "puk_of").filter(kind=LETTER.code)
    return rows.filter(order=order_id, number=number).first()
