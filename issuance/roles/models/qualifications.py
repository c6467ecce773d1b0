"""Qualifications for issuing roles: the person check and the yearly training (rules/issuance 1.4)."""

from django.db import models
from django.db.models import F, Q

from issuance.people.models.persons import Person
from issuance.roles.domain import QualificationKind
from siths_portal.lib.ids import new_id


class Qualification(models.Model):
    """A person check or training that a person passed on a day, recorded by a superior.

    `due_on` is the last day on which it holds, None without an end. A wrong record is withdrawn but never deleted.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="qualifications")
    kind = models.CharField(max_length=20)
    passed_on = models.DateField()
    due_on = models.DateField(null=True)
    recorded_at = models.DateTimeField()
    recorded_by_ref = models.CharField(max_length=200)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by_ref = models.CharField(max_length=200, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=sorted(kind.value for kind in QualificationKind)), name="issuance_qualification_kind"
            ),
            models.CheckConstraint(
                condition=Q(due_on=None) | Q(due_on__gte=F("passed_on")), name="issuance_qualification_due_after"
            ),
            models.UniqueConstraint(
                fields=["person", "kind", "passed_on"],
                condition=Q(withdrawn_at=None),
                name="issuance_qualification_once",
            ),
        ]
