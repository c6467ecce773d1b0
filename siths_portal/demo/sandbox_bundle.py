"""The sandbox's bundle of reserve cards: what the customer needs to order it, and the order."""

from issuance.offices.models import Office
from issuance.offices.services import OfficeAddress, create_office
from issuance.orders.domain.items import ItemState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services.bundles import Bundle, order_bundle
from issuance.organisations.models import Organisation
from siths_portal.demo import reserve_articles
from siths_portal.demo.places import SETUP
from siths_portal.demo.reserve_articles import ARTICLE
from siths_portal.demo.tls import SANDBOX_REF

QUANTITY = 3
_OFFICE = "5594135679"


def load(organisation: Organisation) -> None:
    """Offers reserve cards to the organisation, and opens an office with a delivery address, unless this is done."""
    reserve_articles.offer(organisation)
    if not Office.objects.filter(office_number=_OFFICE).exists():
        create_office(
            actor=SETUP,
            area_id=organisation.area_id,
            name="Leverantörsprovets kortkontor",
            invoice_comment="Leverantörsprov",
            address=OfficeAddress("Leverantörsprov", "Kortrummet", "Provgränd 8", "123 45", "Demostad"),
            office_number=_OFFICE,
            organisation_ids=[organisation.pk],
        )


def order(organisation: Organisation, key: str) -> CardOrder:
    """Orders the bundle from the supplier under test. Needs `load`; a repeated call returns the same order."""
    bundle = Bundle(organisation.pk, ARTICLE, Office.objects.get(office_number=_OFFICE).pk, QUANTITY)
    return order_bundle(actor=SETUP, bundle=bundle, idempotency_key=key, supplier_ref=SANDBOX_REF)


def is_sent_whole(order: CardOrder) -> bool:
    """Returns True if each card of the bundle is sent."""
    return OrderItem.objects.current().filter(order=order, state=ItemState.SENT.value).count() == QUANTITY
