"""PUK letters for tests: a supplier that prints them, a letter for a card in use, and the steps up to its PUK."""

import uuid
from typing import Any

from authn.models import ServiceClient
from issuance.authz import Actor
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder
from issuance.orders.services.letters import Letter, order_letter
from issuance.suppliers.services import letters
from pki.secrets import delivering
from tests.issuance.world import SUPPLIER
from tests.pki.letter_printer import Printer


def printing_supplier(demo_pki: Any, client_ref: str = SUPPLIER) -> Printer:
    """Registers the supplier with a certificate for letters."""
    printer = Printer(client_ref)
    printer.certify(demo_pki)
    values = {"kind": "supplier", "name": "Leverantören", "letter_certificate": printer.sha256}
    ServiceClient.objects.update_or_create(client_ref=client_ref, defaults=values)
    return printer


def ordered_letter(world: Any, card: Carrier, *, actor: Actor | None = None, key: str = "") -> CardOrder:
    """A letter that an ID-administrator of the region orders."""
    wanted = Letter(card.pk, world.office.pk)
    return order_letter(actor=actor or world.officer(), letter=wanted, idempotency_key=key or uuid.uuid4().hex)


def read(order: CardOrder, client_ref: str = SUPPLIER) -> str | None:
    """What a call for the letter's PUK returns at once."""
    return letters.read_puk(client_ref=client_ref, order_id=order.pk, seconds=0)


def handed_out(order: CardOrder) -> str:
    """The letter's PUK, with the worker's part in between."""
    assert read(order) is None
    assert delivering.deliver_secrets() == 1
    text = read(order)
    assert text is not None
    return text
