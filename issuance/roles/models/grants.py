"""Roles of persons in the portal (rules/issuance 1)."""

from django.db import models
from django.db.models import Q

from issuance.authz.roles import AREA_ROLES, GLOBAL_ROLES, ORGANISATION_ROLES, RETIRED_ROLES
from issuance.organisations.models import IssuingArea, Organisation
from issuance.people.models.persons import Person
from siths_portal.lib.ids import new_id


class RoleGrant(models.Model):
    """A role (behörighetsroll) of a person for a period: everywhere, in an area, or in an organisation and those below it.

    Each change increments `version`. No two rows with the same person, role and place overlap in time
    (`roles.services.role_assignment`).
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="role_grants")
    role = models.CharField(max_length=30)
    area = models.ForeignKey(IssuingArea, null=True, on_delete=models.PROTECT, related_name="role_grants")
    organisation = models.ForeignKey(Organisation, null=True, on_delete=models.PROTECT, related_name="role_grants")
    protected_persons = models.BooleanField(default=False)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="issuance_grant_reach",
                condition=Q(role__in=sorted(GLOBAL_ROLES), area=None, organisation=None)
                | Q(role__in=sorted(RETIRED_ROLES), area=None, organisation=None, valid_to__isnull=False)
                | Q(role__in=sorted(AREA_ROLES), area__isnull=False, organisation=None)
                | Q(role__in=sorted(ORGANISATION_ROLES), area=None, organisation__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["person", "role", "area", "organisation"],
                condition=Q(valid_to=None),
                nulls_distinct=False,
                name="issuance_grant_once",
            ),
        ]
