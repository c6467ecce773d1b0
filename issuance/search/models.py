"""What people searched for, kept for a day."""

from django.db import models
from django.db.models import Q

from issuance.people.models.persons import Person
from siths_portal.lib.ids import new_id

KINDS = ("person_id", "hsa_id", "card_serial", "order_id", "name")


class Search(models.Model):
    """A search. Its id is the handle in addresses (S22), and opens for its owner in its session alone.

    `value` is in normal form, a HSA-id's ending in upper case, a name in lower case. `hits` is how many persons were found, at
    most one more than are shown; `person` the one, if there was one. Rows also measure the budgets (S14, S47), and go after a
    day.
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
