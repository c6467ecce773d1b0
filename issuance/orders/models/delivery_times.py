"""How fast suppliers make cards, counted by night."""

from typing import ClassVar

from django.db import models


class DeliveryTime(models.Model):
    """The delivery time of a supplier, a registered client: half of the cards that it sent in the last days were left to the post
    within so many `working_days` from their order. `cards` is how many cards were counted, on `counted_on`.

    A supplier that sent too few cards to tell has no row.
    """

    supplier_ref = models.CharField(max_length=100, primary_key=True)
    working_days = models.PositiveSmallIntegerField()
    cards = models.PositiveIntegerField()
    counted_on = models.DateField()

    objects: ClassVar[models.Manager["DeliveryTime"]] = models.Manager()
