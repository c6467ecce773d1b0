"""Card orders, which card suppliers pull."""

from collections.abc import Mapping
from typing import ClassVar

from django.db import models
from django.db.models import Q

from issuance.articles.models import Article
from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.carriers.models import Carrier, Eid
from issuance.customisations.models import CardCustomisation
from issuance.offices.models import Office
from issuance.orders.domain.order_states import TRANSITIONS, UNDER_WAY, OrderAction, OrderState
from issuance.orders.domain.puk_states import PukState
from issuance.organisations.models import Organisation
from issuance.people.models.photos import Photo
from issuance.records.models.stateful import Stateful
from siths_portal.lib.ids import new_id

WAITING_PUKS = [PukState.PENDING.value, PukState.REFUSED.value]


"""PUKs that the portal does not have yet."""


_UNOWNED = [OrderState.QUEUED.value, OrderState.CANCELLED.value]


class CardOrder(Stateful):
    """Beställning of a card: the queued row is the outbox. `id` is the Beställnings-id.

    `supplier_ref` is the registered client of its card customisation, and stays when the customisation gets another; it is empty
    only for orders from before each customisation had one, which no supplier sees. The same `ordered_by_ref` and
    `idempotency_key` always mean the same order; `content_sha256` is the hash of what was asked for. `puk` is a `PukState`, or
    empty; `puk_refusal` the code of why it is refused.
    """

    subject = "order"
    swedish = "Beställningen"
    states = OrderState

    id = models.UUIDField(primary_key=True, default=new_id)
    carrier = models.OneToOneField(Carrier, on_delete=models.PROTECT, related_name="order")
    eid = models.OneToOneField(Eid, on_delete=models.PROTECT, related_name="card_order")
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
    accepted_at = models.DateTimeField(null=True)
    produced_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    sent_on = models.DateField(null=True)
    registered_mail_id = models.CharField(max_length=13, default="")
    failure_reason = models.CharField(max_length=40, default="")
    puk = models.CharField(max_length=10, default="")
    puk_refusal = models.CharField(max_length=40, default="")

    objects: ClassVar[ScopedManager["CardOrder"]] = ScopedManager()
    scope = ScopeRule(
        path="organisation__scope_path",
        protected="carrier__person__is_protected",
        person="carrier.person_id",
        supplier="supplier_ref",
        supplied_states=tuple(UNDER_WAY),
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in OrderState]), name="issuance_order_state"),
            models.CheckConstraint(condition=Q(state__in=_UNOWNED) | ~Q(supplier_ref=""), name="issuance_order_has_supplier"),
            models.CheckConstraint(condition=Q(puk__in=["", *(state.value for state in PukState)]), name="issuance_order_puk"),
            models.CheckConstraint(
                condition=Q(puk=PukState.REFUSED.value) ^ Q(puk_refusal=""), name="issuance_order_puk_refusal"
            ),
            models.UniqueConstraint(fields=["ordered_by_ref", "idempotency_key"], name="issuance_order_once_per_key"),
        ]
        indexes = [
            models.Index(
                fields=["supplier_ref", "id"], condition=Q(state=OrderState.QUEUED.value), name="issuance_order_supplier_queue"
            ),
            models.Index(fields=["supplier_ref", "id"], name="issuance_order_supplier"),
            # What an office is used for.
            models.Index(fields=["office", "-ordered_at"], name="issuance_order_office"),
            models.Index(fields=["office"], condition=Q(state__in=UNDER_WAY), name="issuance_order_office_underway"),
            # What a supplier still reads of a customisation that another supplier has now.
            models.Index(
                fields=["customisation", "supplier_ref"], condition=Q(state__in=UNDER_WAY), name="issuance_order_custom_underway"
            ),
            # What waits for a PUK: what the sweeper looks at, and what is counted for alarms.
            models.Index(fields=["puk", "id"], condition=Q(puk__in=WAITING_PUKS), name="issuance_order_puk_waits"),
            models.Index(fields=["sent_at"], condition=Q(sent_at__isnull=False), name="issuance_order_sent"),
        ]

    @property
    def transitions(self) -> Mapping[tuple[OrderState, OrderAction], OrderState]:
        """The transitions of every order."""
        return TRANSITIONS
