"""What a day's issuing came to, place by place. A job counts it by night, so that Dagen reads rows and counts nothing."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

WHOLE_COUNTRY = ""
"""The place of everything. Its row of a day is there if the day is counted."""


class DailyOutcome(models.Model):
    """The outcome of one day in an area or an organisation, with everything below it. Protected persons are left out.

    `place` is the last part of the scope path of the area or organisation, which stays when it moves. `people` is the number of
    persons with a valid eID at the end of the day; it is empty for a day that was counted too late to know it. `activated` counts
    the ordinary cards that holders activated on the day, and `waited` has the days from order to activation of each of them.
    `offices` has for the id of each office its name, and its activated and its revoked ordinary cards of the day. It is empty for
    a day on which no office had any, and None for a day that was counted without offices.
    """

    place = models.CharField(max_length=13)
    day = models.DateField()
    people = models.PositiveIntegerField(null=True)
    activated = models.PositiveIntegerField(default=0)
    waited = ArrayField(models.PositiveIntegerField(), default=list)
    offices = models.JSONField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["place", "day"], name="issuance_outcome_once_a_day")]
