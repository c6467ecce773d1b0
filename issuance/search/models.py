"""Searches, kept for a day."""

from django.db import models
from django.db.models import Q

from issuance.people.models.persons import Person
from siths_portal.lib.ids import new_id

KINDS = ("person_id", "hsa_id", "card_serial", "mifare_id", "order_id", "name")


class Search(models.Model):
    """A search. URLs contain only its id (S22), which opens it only for its owner in the same session.

    `value` is in normal form: an HSA-id or its ending in upper case, a name in lower case. `hits` is the number of persons
    found, at most one more than the limit for display. `person` is set if exactly one was found. Rate limits count these rows
    (S14, S47). Housekeeping deletes them after a day.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    owner_ref = models.CharField(max_length=200)
    session_id = models.UUIDField()
    kind = models.CharField(max_length=20)
    value = models.CharField(max_length=40)
    extended = models.BooleanField(default=False)
    reason = models.CharField(max_length=200, default="")
    hits = models.PositiveSmallIntegerField()
    person = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="issuance_search_kind"),
            models.CheckConstraint(
                condition=Q(extended=False, reason="") | (Q(extended=True) & ~Q(reason="")), name="issuance_search_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["owner_ref", "created_at"], name="issuance_search_budget"),
            models.Index(fields=["created_at"], name="issuance_search_age"),
        ]
