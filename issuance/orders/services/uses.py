"""Orders that use rows of lower packages: an organisation, an article, a card customisation."""

from django.db.models import OuterRef, QuerySet

from issuance.customisations.models import CardCustomisation
from issuance.orders.domain.eid_order_states import EidOrderState
from issuance.orders.domain.order_states import UNDER_WAY, OrderState
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.models.orders import CardOrder


def orders_of_organisation(organisation: OuterRef) -> QuerySet[CardOrder]:
    """Returns the organisation's orders that are neither sent nor ended."""
    return CardOrder.objects.filter(organisation=organisation, state__in=UNDER_WAY)


def eid_orders_of_organisation(organisation: OuterRef) -> QuerySet[EidOrder]:
    """Returns the organisation's eID orders that wait for their holders."""
    return EidOrder.objects.filter(organisation=organisation, state=EidOrderState.ORDERED.value)


def have_article(code: str) -> bool:
    """Returns True if a card was ever ordered with the article."""
    return CardOrder.objects.filter(article=code).exists()


def queued_with(row: CardCustomisation) -> QuerySet[CardOrder]:
    """Returns the orders with a card customisation that no supplier has accepted."""
    return CardOrder.objects.filter(customisation=row, state=OrderState.QUEUED.value)


def wait_for_verification(row: CardCustomisation) -> bool:
    """Returns True if queued orders use the customisation, which is not verified."""
    return queued_with(row).exists()


def give_first_supplier(row: CardCustomisation) -> None:
    """Assigns the orders without a supplier to the customisation's first supplier."""
    CardOrder.objects.filter(customisation=row, supplier_ref="").update(supplier_ref=row.supplier_ref)
