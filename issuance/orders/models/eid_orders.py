"""eID orders: eIDs that holders fetch onto a carrier in use, without a supplier."""

from collections.abc import Mapping
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from issuance.articles.models import Article
from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.carriers.domain import kinds
from issuance.carriers.domain.kinds import EidOrderKind, EidOrderRule
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain.eid_order_states import TRANSITIONS, EidOrderAction, EidOrderState
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.records.models.stateful import Stateful
from siths_portal.lib.ids import new_id

_WAITING = Q(state=EidOrderState.ORDERED.value)
_FETCHED = Q(state=EidOrderState.FETCHED.value)
_REPLACES = Q(kind__in=[EidOrderKind.RENEWAL.value, EidOrderKind.EXTENSION.value])


class EidOrder(Stateful):
    """Beställning av SITHS eID: an eID of one assignment, ordered on a carrier that the person uses (rules/issuance 3.6).

    `kind` is a `kinds.EidOrderKind`; a renewal or extension refers to the eID that it `replaces`. The other values are copied at
    the order and never change: `article` and `assurance_level` are the carrier's, so that the price is that of `ordered_at`;
    `hsa_id`, `mail`, `upn` and `title` are the assignment's. The holder may fetch it until `expires_at` (exclusive); `eid` is the
    fetched eID. Scoped by its assignment's organisation, like the fetched eID.
    """

    subject = "eid_order"
    swedish = "Beställningen"
    states = EidOrderState

    id = models.UUIDField(primary_key=True, default=new_id)
    kind = models.CharField(max_length=20)
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="eid_orders")
    post = models.ForeignKey(Post, on_delete=models.PROTECT, related_name="eid_orders")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="eid_orders")
    article = models.ForeignKey(Article, on_delete=models.PROTECT, related_name="+")
    assurance_level = models.PositiveSmallIntegerField()
    hsa_id = models.CharField(max_length=31)
    mail = models.CharField(max_length=254, default="")
    upn = models.CharField(max_length=254, default="")
    title = models.CharField(max_length=128, default="")
    replaces = models.ForeignKey(Eid, null=True, on_delete=models.PROTECT, related_name="renewals")
    eid = models.OneToOneField(Eid, null=True, on_delete=models.PROTECT, related_name="eid_order")
    ordered_by_ref = models.CharField(max_length=200)
    ordered_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[ScopedManager["EidOrder"]] = ScopedManager()
    scope = ScopeRule(path="organisation__scope_path", protected="carrier__person__is_protected", person="carrier.person_id")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in EidOrderState]), name="issuance_eid_order_state"),
            models.CheckConstraint(condition=Q(kind__in=[k.value for k in EidOrderKind]), name="issuance_eid_order_kind"),
            models.CheckConstraint(condition=_REPLACES ^ Q(replaces__isnull=True), name="issuance_eid_order_replaces"),
            models.CheckConstraint(condition=_FETCHED ^ Q(eid__isnull=True), name="issuance_eid_order_fetched"),
            models.CheckConstraint(condition=_WAITING ^ Q(ended_at__isnull=False), name="issuance_eid_order_ended"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("ordered_at")), name="issuance_eid_order_span"),
            models.UniqueConstraint(fields=["carrier", "post"], condition=_WAITING, name="issuance_one_waiting_eid_order"),
        ]
        indexes = [models.Index(fields=["expires_at", "id"], condition=_WAITING, name="issuance_eid_order_waiting")]

    @property
    def transitions(self) -> Mapping[tuple[EidOrderState, EidOrderAction], EidOrderState]:
        """Returns the transitions, the same for every eID order."""
        return TRANSITIONS

    @property
    def rule(self) -> EidOrderRule:
        """Returns the rule for such orders on carriers of its carrier's kind. Raises KeyError if the kind no longer has one."""
        return (kinds.kind_of(self.carrier.kind).eid_orders or {})[EidOrderKind(self.kind)]
