"""What bundles of reserve cards need, for tests: an article, the generic customisation, an office with an address."""

import datetime as dt
import uuid
from typing import Any

from issuance.articles.models import Article
from issuance.articles.services.articles import offer_article
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import register_generic_customisation, verify_customisation
from issuance.offices.models import Office
from issuance.orders.models.orders import CardOrder
from issuance.orders.services.bundles import Bundle, order_bundle
from issuance.records.models.events import Document
from tests.issuance.world import LOGOTYPE, SETUP, SUPPLIER

ARTICLE = "573"


def prepare(organisation: Any, office: Office, *, supplier: str = SUPPLIER) -> None:
    """Makes it possible to order bundles for the organisation, to the office."""
    Article.objects.create(
        code=ARTICLE, number=ARTICLE, name="Reservkort", kind="reserve", orientation="portrait", photo=False, assurance_level=2,
        registered_mail=False, valid_from=dt.date(2020, 1, 1),
    )  # fmt: skip
    offer_article(actor=SETUP, organisation_id=organisation.id, article_code=ARTICLE, orderable=True)
    row = register_generic_customisation(
        actor=SETUP, customisation_id="7837800000", name="SITHS eID", issuer_number="1500", back_text="Upphittat kort",
        supplier_ref=supplier,
    )  # fmt: skip
    CardCustomisation.objects.filter(pk=row.pk).update(logotype=Document.store(LOGOTYPE, "image/png"))
    verify_customisation(actor=SETUP, customisation_id=row.id)
    address(office)


def address(office: Office) -> None:
    """Gives an office the address that bundles are sent to."""
    lines = {"street_address": "Lagergatan 1", "postal_code": "123 45", "city": "Provstad"}
    Office.objects.filter(pk=office.pk).update(recipient_organisation="Regionen", internal_recipient="Kortrummet", **lines)


def bundle(organisation: Any, office: Office, quantity: int = 3, *, key: str = "", **changes: Any) -> CardOrder:
    """Orders a bundle."""
    wanted = {"organisation_id": organisation.id, "article_code": ARTICLE, "office_id": office.id, "quantity": quantity}
    return order_bundle(actor=SETUP, bundle=Bundle(**(wanted | changes)), idempotency_key=key or uuid.uuid4().hex)
