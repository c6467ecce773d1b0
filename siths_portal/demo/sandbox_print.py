"""The card customisations of the sandbox, and the change of the second one that its supplier answers with a new logotype."""

from hashlib import sha256

from issuance.authz import Actor
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import CustomisationData, edit_customisation, verify_customisation
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from siths_portal.demo.logotypes import logotype, put_logotype
from siths_portal.demo.places import SETUP, Customisation, back_text
from siths_portal.demo.tls import SANDBOX_REF

NAME = "Leverantörsprov"
PLAIN = Customisation("7837803980", NAME, "5880", back_text(NAME, "Box 8, 123 45 Demostad"), SANDBOX_REF)
CUSTOMISATION = Customisation("7837803981", f"{NAME} med ny text", "5881", back_text(NAME, "Box 9, 123 45 Demostad"), SANDBOX_REF)
"""The customisation whose text changes."""


def change(_clerk: Actor, order: CardOrder) -> None:
    """Changes the back text of the order's customisation, which ends its verification, and puts its first logotype back."""
    row = CardCustomisation.objects.get(pk=order.customisation_id)
    put_logotype(row)
    row.refresh_from_db()
    number = order.idempotency_key.split("-")[1]
    text = back_text(NAME, f"Box {number}, 123 45 Demostad")
    data = CustomisationData(row.name, row.issuer_number, text, row.supplier_ref)
    edit_customisation(actor=SETUP, customisation_id=row.pk, version=row.version, data=data)


def is_put(order: CardOrder) -> bool:
    """Returns True if the supplier has put a logotype to the customisation since `change`, and nobody has verified it."""
    row = CardCustomisation.objects.get(pk=order.customisation_id)
    first = sha256(logotype(row.name, int(row.customisation_id))).hexdigest()
    return order.state == OrderState.QUEUED and row.verified_at is None and row.logotype_id != first


def verify(_clerk: Actor, order: CardOrder) -> None:
    """Verifies the customisation, as the issuer does when the proof is right."""
    verify_customisation(actor=SETUP, customisation_id=order.customisation_id)
