"""Card orders, which card suppliers fetch."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from issuance.articles.models import Article
from issuance.authz.scope import ScopedManager, ScopedQuerySet, ScopeRule
from issuance.carriers.models import Carrier, Eid
from issuance.customisations.models import CardCustomisation
from issuance.offices.models import Office
from issuance.orders.domain import items as item_rules
from issuance.orders.domain.items import CARD, ITEM_KINDS, Fault, ItemAction, ItemState
from issuance.orders.domain.order_states import TRANSITIONS, UNDER_WAY, OrderAction, OrderState
from issuance.orders.domain.puk_states import PukState
from issuance.orders.domain.replacements import ReplacementReason
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person
from issuance.people.models.photos import Photo
from issuance.records.models.stateful import Stateful
from siths_portal.lib.errors import NotFound
from siths_portal.lib.ids import new_id

WAITING_PUKS = [PukState.PENDING.value, PukState.REFUSED.value]
"""States in which the portal does not have the PUK yet."""

_UNOWNED = [OrderState.QUEUED.value, OrderState.CANCELLED.value]


class CardOrderManager(ScopedManager["CardOrder"]):
    """The manager of card orders."""

    def with_card(self, *related: str) -> ScopedQuerySet["CardOrder"]:
        """Returns all orders with their cards, and the cards' carriers and eIDs, so that `card` runs no query. `related` is
        relative to an item. Of an order without cards it reads only the first item, since a bundle may have 2,000.
        """
        items = OrderItem.objects.filter(Q(kind=CARD.code) | Q(number=1) | Q(replaces__isnull=False))
        items = items.select_related("carrier", "eid", *related).order_by("number")
        return self.get_queryset().prefetch_related(models.Prefetch("items", items))


class CardOrder(Stateful):
    """Beställning: the queued row is the outbox. `id` is the Beställnings-id. `items` holds what is made.

    `person` is the future holder; empty for a bundle of reserve cards, which have none yet. `supplier_ref` is the registered
    client of its card customisation, and stays when the customisation gets another supplier. It is empty only for orders older
    than suppliers of customisations; no supplier sees those. `ordered_by_ref` and `idempotency_key` together identify one
    order; `content_sha256` is the hash of the request. Its state follows from its items (`domain.items`), as do `produced_at`,
    `sent_at` and `sent_on`, which are those of the last item. `restarted_at` is when the making last began again: a piece is made
    again, by the supplier or because it came back. `registered_mail_id` is that of the only item. `replaced_carrier`
    is the card that the new one replaces, and `replacement_reason` a `ReplacementReason`, or empty.
    """

    subject = "order"
    swedish = "Beställningen"
    states = OrderState

    id = models.UUIDField(primary_key=True, default=new_id)
    person = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="card_orders")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="card_orders")
    article = models.ForeignKey(Article, on_delete=models.PROTECT, related_name="+")
    office = models.ForeignKey(Office, on_delete=models.PROTECT, related_name="card_orders")
    customisation = models.ForeignKey(CardCustomisation, on_delete=models.PROTECT, related_name="orders")
    photo = models.ForeignKey(Photo, null=True, on_delete=models.PROTECT, related_name="orders")
    supplier_ref = models.CharField(max_length=100, default="")
    ordered_by_ref = models.CharField(max_length=200)
    idempotency_key = models.CharField(max_length=100)
    content_sha256 = models.CharField(max_length=64)
    ordered_at = models.DateTimeField()
    restarted_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)
    produced_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    sent_on = models.DateField(null=True)
    registered_mail_id = models.CharField(max_length=13, default="")
    failure_reason = models.CharField(max_length=40, default="")
    replaced_carrier = models.ForeignKey(
        Carrier, null=True, on_delete=models.PROTECT, related_name="replacements", db_index=False
    )
    replacement_reason = models.CharField(max_length=20, default="")

    objects: ClassVar["CardOrderManager"] = CardOrderManager()
    scope = ScopeRule(
        path="organisation__scope_path",
        protected="person__is_protected",
        holder="person",
        person="person_id",
        supplier="supplier_ref",
        supplied_states=tuple(UNDER_WAY),
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in OrderState]), name="issuance_order_state"),
            models.CheckConstraint(condition=Q(state__in=_UNOWNED) | ~Q(supplier_ref=""), name="issuance_order_has_supplier"),
            models.UniqueConstraint(fields=["ordered_by_ref", "idempotency_key"], name="issuance_order_once_per_key"),
            models.CheckConstraint(
                condition=Q(replaced_carrier=None, replacement_reason="")
                | Q(replaced_carrier__isnull=False, replacement_reason__in=[reason.value for reason in ReplacementReason]),
                name="issuance_order_replacement",
            ),
        ]
        indexes = [
            models.Index(
                fields=["supplier_ref", "id"], condition=Q(state=OrderState.QUEUED.value), name="issuance_order_supplier_queue"
            ),
            models.Index(fields=["supplier_ref", "id"], name="issuance_order_supplier"),
            # For what a clerk ordered last for an organisation, which the next order proposes.
            models.Index(
                fields=["ordered_by_ref", "organisation", "-ordered_at"],
                condition=Q(person__isnull=False),
                name="issuance_order_last_own",
            ),
            # For the use of an office.
            models.Index(fields=["office", "-ordered_at"], name="issuance_order_office"),
            models.Index(fields=["office"], condition=Q(state__in=UNDER_WAY), name="issuance_order_office_underway"),
            # For orders of a supplier whose customisation now belongs to another supplier.
            models.Index(
                fields=["customisation", "supplier_ref"], condition=Q(state__in=UNDER_WAY), name="issuance_order_custom_underway"
            ),
            # For the orders of an organisation that came to nothing.
            models.Index(
                fields=["organisation", "ordered_at"],
                condition=Q(state__in=[OrderState.FAILED.value, OrderState.RETURNED.value]),
                name="issuance_order_to_nothing",
            ),
            models.Index(fields=["sent_at"], condition=Q(sent_at__isnull=False), name="issuance_order_sent"),
            # For the cards that were ordered in the last days.
            models.Index(fields=["ordered_at"], name="issuance_order_ordered"),
            # For the orders that replace a card.
            models.Index(
                fields=["replaced_carrier"], condition=Q(replaced_carrier__isnull=False), name="issuance_order_replaced"
            ),
            # For the bundles of an organisation, and for those that an office awaits.
            models.Index(fields=["organisation", "id"], condition=Q(person__isnull=True), name="issuance_order_bundles"),
            models.Index(fields=["office", "id"], condition=Q(person__isnull=True), name="issuance_order_bundles_to"),
        ]

    @property
    def transitions(self) -> Mapping[tuple[OrderState, OrderAction], OrderState]:
        """Returns the transitions, the same for every order."""
        return TRANSITIONS

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        """Reads the row again, and its card at the next access."""
        super().refresh_from_db(*args, **kwargs)
        self.__dict__.pop("latest_card", None)

    @cached_property
    def latest_card(self) -> "OrderItem | None":
        """Returns the card of the order: its latest. None if it has none, as a bundle or a letter."""
        cards = [item for item in self.items.all() if item.kind == CARD.code]
        return max(cards, key=lambda item: item.number, default=None)

    @property
    def card(self) -> "OrderItem":
        """Returns `latest_card`. Raises NotFound if there is none."""
        if self.latest_card is None:
            raise NotFound("order-without-card", "Beställningen gäller inget kort.")
        return self.latest_card

    @property
    def carrier(self) -> Carrier:
        """Returns the carrier of its card."""
        return self.card.made

    @property
    def carrier_id(self) -> UUID:
        """Returns the id of the carrier of its card."""
        return self.carrier.pk

    @property
    def eid(self) -> Eid:
        """Returns the eID that is ordered on its card. Raises NotFound if there is none."""
        return self.card.ordered_eid

    @property
    def eid_id(self) -> UUID:
        """Returns the id of the eID that is ordered on its card."""
        return self.eid.pk


_CARRIERLESS = [code for code, kind in ITEM_KINDS.items() if not kind.makes_carrier]


class OrderItemManager(models.Manager["OrderItem"]):
    """The manager of order items."""

    def current(self) -> models.QuerySet["OrderItem"]:
        """Returns the items in whose place there is no other."""
        return self.get_queryset().filter(remade_as=None)


class OrderItem(Stateful):
    """One thing that an order asks the supplier to make: a card, one reserve card of a bundle, or a letter (`domain.items`).
    `number` counts from 1 within the order. `carrier` is the new carrier, which no other item makes; `eid` is the eID on it.
    `puk_of` is the card whose PUK a letter carries, and `puk_delivery_id` the delivery of that PUK in `pki`.

    The supplier reports on items. `puk` is a `PukState` or empty; `puk_refusal` is the code of its refusal. `replaces` is the
    item in whose place it is made, after which `fault` (`Fault`) and `remake_reason`, a code, say why. `dispatched_at` is when
    the order was sent with it, also if it was spoilt before; billing counts it then. The lock of the order covers its items.
    """

    subject = "item"
    swedish = "Beställningens del"
    states = ItemState

    order = models.ForeignKey(CardOrder, on_delete=models.PROTECT, related_name="items")
    number = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=20)
    carrier = models.OneToOneField(Carrier, null=True, on_delete=models.PROTECT, related_name="item")
    eid = models.OneToOneField(Eid, null=True, on_delete=models.PROTECT, related_name="item")
    puk_of = models.ForeignKey(Carrier, null=True, on_delete=models.PROTECT, related_name="letters")
    puk_delivery_id = models.UUIDField(null=True)
    sent_on = models.DateField(null=True)
    registered_mail_id = models.CharField(max_length=13, default="")
    puk = models.CharField(max_length=10, default="")
    puk_refusal = models.CharField(max_length=40, default="")
    replaces = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="remade_as")
    fault = models.CharField(max_length=10, default="")
    remake_reason = models.CharField(max_length=40, default="")
    dispatched_at = models.DateTimeField(null=True)

    objects: ClassVar["OrderItemManager"] = OrderItemManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=list(ITEM_KINDS)), name="issuance_item_kind"),
            models.CheckConstraint(
                condition=Q(carrier__isnull=False) ^ Q(kind__in=_CARRIERLESS),
                name="issuance_item_makes_carrier",
            ),
            models.CheckConstraint(condition=Q(puk_of=None) ^ Q(kind__in=_CARRIERLESS), name="issuance_item_puk_of"),
            models.UniqueConstraint(fields=["order", "number"], name="issuance_item_number"),
            models.CheckConstraint(condition=Q(state__in=[state.value for state in ItemState]), name="issuance_item_state"),
            models.CheckConstraint(condition=Q(puk__in=["", *(state.value for state in PukState)]), name="issuance_item_puk"),
            models.CheckConstraint(condition=Q(puk=PukState.REFUSED.value) ^ Q(puk_refusal=""), name="issuance_item_puk_refusal"),
            models.CheckConstraint(
                condition=Q(replaces=None, fault="") | Q(replaces__isnull=False, fault__in=[fault.value for fault in Fault]),
                name="issuance_item_fault",
            ),
        ]
        indexes = [
            # For the state of an order, which follows from those of its items.
            models.Index(fields=["order", "state"], name="issuance_item_order_state"),
            # For the sweeper and the alarm count of items that wait for a PUK.
            models.Index(fields=["puk", "id"], condition=Q(puk__in=WAITING_PUKS), name="issuance_item_puk_waits"),
            # For the sweeper of items that are to be made again.
            models.Index(fields=["id"], condition=Q(state=ItemState.REMADE.value), name="issuance_item_remade"),
            # For what was sent in a month.
            models.Index(fields=["dispatched_at"], condition=Q(dispatched_at__isnull=False), name="issuance_item_dispatched"),
        ]

    @property
    def transitions(self) -> Mapping[tuple[ItemState, ItemAction], ItemState]:
        """Returns the transitions, the same for every kind."""
        return item_rules.TRANSITIONS

    @property
    def made(self) -> Carrier:
        """Returns the carrier that it makes. Raises NotFound if it makes none."""
        if self.carrier is None:
            raise NotFound("item-without-carrier", "Beställningen gäller inget kort.")
        return self.carrier

    @property
    def subject_card(self) -> Carrier:
        """Returns the carrier that it makes, or whose PUK it carries."""
        found = self.carrier or self.puk_of
        if found is None:  # the constraints of the table refuse it
            raise LookupError(f"item {self.pk} has no carrier")
        return found

    @property
    def ordered_eid(self) -> Eid:
        """Returns the eID that is ordered on its carrier. Raises NotFound if there is none."""
        if self.eid is None:
            raise NotFound("order-without-eid", "Beställningen gäller inget SITHS eID.")
        return self.eid
