"""Orders of bundles of reserve cards: blank cards without a holder, sent to an office (rules/issuance 3.9)."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from issuance.articles.models import Article
from issuance.authz import Action, Actor, policy
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.kinds import RESERVE_CARD
from issuance.carriers.models import Carrier
from issuance.customisations.models import CardCustomisation
from issuance.offices.models import Office
from issuance.orders.domain import items, rules
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import order_checks, progress, queueing, repeats
from issuance.organisations.models import Organisation
from issuance.organisations.services.holding import hold_organisations
from issuance.records.services import steps
from siths_portal.lib import clock, workdays
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Invalid

LARGEST = 2000
"""The most reserve cards of one order."""


@dataclass(frozen=True)
class Bundle:
    """What is ordered: `quantity` reserve cards of an article for an organisation, sent to an office of it."""

    organisation_id: UUID
    article_code: str
    office_id: UUID
    quantity: int

    @property
    def content_sha256(self) -> str:
        """The hash that a repeated order must have."""
        content = {
            "organisation": str(self.organisation_id),
            "article": self.article_code,
            "office": str(self.office_id),
            "quantity": self.quantity,
        }
        return sha256_hex(canonical_json(content))


@dataclass(frozen=True)
class OrderableBundle:
    """A bundle that can be ordered, with the rows that its order names."""

    organisation: Organisation
    article: Article
    office: Office
    customisation: CardCustomisation


def order_bundle(*, actor: Actor, bundle: Bundle, idempotency_key: str, supplier_ref: str = "") -> CardOrder:
    """Orders a bundle of reserve cards: each card is an item with a carrier in ORDERED, and the order is queued. Runs a number of
    statements that grows by one for every 500 cards and table.

    The cards have the generic look, whatever customisation the organisation has. `supplier_ref` names who makes them in place of
    the supplier of that look; the sandbox gives a supplier under test its bundle so. The same key and content return the same
    order; other content raises Conflict. Raises NotFound, Forbidden, Invalid (quantity, article, office), Conflict.
    """
    repeats.require_key(idempotency_key)
    _require_quantity(bundle)
    if earlier := repeats.earlier(actor, bundle.content_sha256, idempotency_key):
        return earlier
    try:
        return _place(actor, bundle, idempotency_key, supplier_ref)
    except IntegrityError as error:
        if repeats.is_repeat(error) and (earlier := repeats.earlier(actor, bundle.content_sha256, idempotency_key)):
            return earlier
        raise


def orderable(*, actor: Actor, bundle: Bundle) -> OrderableBundle:
    """Returns what an order of the bundle would name, for a page that shows it first. Raises as `order_bundle`."""
    _require_quantity(bundle)
    organisation = policy.get(actor, Action.ORDER_RESERVE_BUNDLE, _organisations, bundle.organisation_id)
    customisation = order_checks.generic_customisation(organisation)
    article = _article(organisation, bundle.article_code)
    return OrderableBundle(organisation, article, _office(organisation, bundle.office_id), customisation)


def articles_of(organisation_id: UUID) -> QuerySet[Article]:
    """Returns the articles of reserve cards that the organisation may order today, by number."""
    offered = order_checks.offers(RESERVE_CARD.article_kinds).filter(organisation=organisation_id)
    return Article.objects.filter(pk__in=offered.values("article")).order_by("number", "code")


def last_day_sent(ordered_on: dt.date) -> dt.date:
    """Returns the day on which a bundle that was ordered on this day is sent at the latest: `RESERVE_CARD_WORKING_DAYS` later."""
    return workdays.after(ordered_on, settings.RESERVE_CARD_WORKING_DAYS)


@transaction.atomic(durable=True)
def _place(actor: Actor, bundle: Bundle, idempotency_key: str, supplier_ref: str) -> CardOrder:
    hold_organisations([bundle.organisation_id])
    named = orderable(actor=actor, bundle=bundle)
    organisation, article, office = named.organisation, named.article, named.office
    now = clock.now().replace(microsecond=0)
    order = CardOrder(
        organisation=organisation,
        article=article,
        office=office,
        customisation=named.customisation,
        state=OrderState.QUEUED.value,
        ordered_by_ref=actor.ref,
        idempotency_key=idempotency_key,
        content_sha256=bundle.content_sha256,
        supplier_ref=supplier_ref or named.customisation.supplier_ref,
        ordered_at=now,
    )
    carriers = [
        Carrier(
            kind=RESERVE_CARD.code,
            organisation=organisation,
            article=article,
            assurance_level=article.assurance_level,
            state=CarrierState.ORDERED.value,
            valid_from=now,
            valid_to=rules.years_after(now, getattr(settings, RESERVE_CARD.carrier_years)),
            created_at=now,
        )
        for _ in range(bundle.quantity)
    ]
    steps.begin(carriers, "ordered", actor_ref=actor.ref, facts={"order": str(order.id)})
    facts = {"article": article.code, "office": str(office.id), "organisation": str(organisation.id)}
    steps.begin([order], "submitted", actor_ref=actor.ref, facts={**facts, "quantity": bundle.quantity})
    made = [
        OrderItem(order=order, number=number, kind=items.RESERVE_CARD.code, carrier=carrier, state=items.ItemState.WAITING.value)
        for number, carrier in enumerate(carriers, start=1)
    ]
    steps.begin(made, "ordered", actor_ref=actor.ref, facts=progress.item_facts)
    queueing.queued(order)
    return order


def receives(office: Office) -> bool:
    """True if bundles can be sent to the office: it has a delivery address."""
    return bool(office.street_address and office.postal_code and office.city)


def _require_quantity(bundle: Bundle) -> None:
    if not 1 <= bundle.quantity <= LARGEST:
        message = f"Ange ett antal från 1 till {LARGEST}."
        raise Invalid("quantity", message, fields={"quantity": [message]})


def _organisations(_actor: Actor) -> QuerySet[Organisation]:
    return Organisation.objects.select_related("area")


def _article(organisation: Organisation, code: str) -> Article:
    """Returns the article of reserve cards if the organisation may order it today. Raises Invalid."""
    article = articles_of(organisation.pk).filter(pk=code).first()
    if article is None:
        message = "Organisationen kan inte beställa artikeln. Välj en beställningsbar artikel."
        raise Invalid("article-not-orderable", message, fields={"article": [message]})
    return article


def _office(organisation: Organisation, office_id: UUID) -> Office:
    """Returns the office if the organisation may choose it and it has a delivery address. Raises Invalid."""
    office = order_checks.require_office(organisation, office_id)
    if not receives(office):
        message = "Kontoret saknar leveransadress. Skriv in den, eller välj ett annat kontor."
        raise Invalid("office-without-address", message, fields={"office": [message]})
    return office
