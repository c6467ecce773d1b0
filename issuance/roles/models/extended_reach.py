"""Persons whom an extended search has opened to a user for half an hour."""

from django.db import models

from issuance.people.models.persons import Person


class ExtendedReach(models.Model):
    """A user's access to a person outside their scope, found by an extended search with a reason. It ends at `until`."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    owner_ref = models.CharField(max_length=200)
    reason = models.CharField(max_length=200)
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["owner_ref", "until"], name="issuance_reach_owner")]
