"""Persons whom an extended search opened to a user for half an hour."""

from django.db import models

from issuance.people.models.persons import Person


class ExtendedReach(models.Model):
    """That a person was found outside the scope of `owner_ref` by an extended search, and is open to him until a moment."""

    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    owner_ref = models.CharField(max_length=200)
    reason = models.CharField(max_length=200)
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["owner_ref", "until"], name="issuance_reach_owner")]
