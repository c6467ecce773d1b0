"""Stock of reserve cards at offices: the cards, the level below which an office needs more, and the counts (rules/issuance 3.13).

The scope of a row is that of its office: services and queries first get the office by `Action.KEEP_STOCK`.
"""

from collections.abc import Mapping

from django.db import models
from django.db.models import F, Q

from issuance.carriers.models import Carrier
from issuance.offices.models import Office
from issuance.records.models.stateful import Stateful
from issuance.stock.domain import TRANSITIONS, StockAction, StockState
from siths_portal.lib.ids import new_id


class StockCard(Stateful):
    """A reserve card that an office received, or that was missing when the rest of its bundle arrived.

    `valid_to` is the carrier's, which never changes: cards that end first are handed out first. Whether the card can be handed
    out follows from both states: that of the carrier has the last word, because others revoke cards too.
    """

    subject = "stock_card"
    swedish = "Reservkortet"
    states = StockState

    id = models.UUIDField(primary_key=True, default=new_id)
    carrier = models.OneToOneField(Carrier, on_delete=models.PROTECT, related_name="stock")
    office = models.ForeignKey(Office, on_delete=models.PROTECT, related_name="stock_cards")
    valid_to = models.DateTimeField()
    received_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in StockState]), name="issuance_stock_state"),
            models.CheckConstraint(
                condition=Q(received_at__isnull=False) | ~Q(state=StockState.IN_STOCK.value), name="issuance_stock_received"
            ),
        ]
        indexes = [
            # For an office's cards, those that end first before the others.
            models.Index(fields=["office", "valid_to", "id"], name="issuance_stock_office"),
            models.Index(fields=["office", "state", "valid_to"], name="issuance_stock_state_office"),
        ]

    @property
    def transitions(self) -> Mapping[tuple[StockState, StockAction], StockState]:
        """The transitions of every card in stock."""
        return TRANSITIONS


class StockLevel(models.Model):
    """The number of cards in stock below which an office needs more. An office without a row is never short."""

    office = models.OneToOneField(Office, primary_key=True, on_delete=models.PROTECT, related_name="stock_level")
    least = models.PositiveIntegerField()


class StockCount(models.Model):
    """A stock-taking (inventering) of an office. Never changed.

    `expected` is the number of cards that were in stock, `found` the number of those that were scanned. `returned` are scanned
    cards that were missing before. The difference `expected - found` is missing since.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    office = models.ForeignKey(Office, on_delete=models.PROTECT, related_name="stock_counts")
    counted_by_ref = models.CharField(max_length=200)
    counted_at = models.DateTimeField()
    expected = models.PositiveIntegerField()
    found = models.PositiveIntegerField()
    returned = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(found__lte=F("expected")), name="issuance_stock_count_found"),
        ]
        indexes = [models.Index(fields=["office", "id"], name="issuance_stock_count_office")]

    @property
    def missing(self) -> int:
        """The number of cards that were in stock and not found."""
        return self.expected - self.found
