"""Export of the set-up of an area or an organisation, as rows in import format. Importing an unchanged export changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import batched
from uuid import UUID

from django.db.models import Q, QuerySet

from issuance.articles.models import SubscriptionFee
from issuance.authz import Action, Actor, policy
from issuance.authz.role_names import ROLE
from issuance.imports.domain import SetupTable
from issuance.imports.services import customisation_word
from issuance.offices.models import OrganisationOffice
from issuance.offices.services import offices_to_connect
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import role_reach
from issuance.roles.services.actors import current
from issuance.roles.services.role_periods import last_day_of
from siths_portal.lib import clock
from siths_portal.lib.imports.columns import NO, YES

ExportedCells = tuple[str, ...]
_IDS_IN_A_CELL = 1000
"""The number of HSA-ids in one row of an office. An office with more organisations has several rows."""


@dataclass(frozen=True)
class ExportedPart:
    """The content of a file: a complete area, or with `path` an organisation of it with those below."""

    area_id: UUID
    path: str = ""

    def within(self, organisation: str = "") -> Q:
        """Returns the condition for rows in the part. `organisation` is the lookup of their organisation, empty for
        organisations.
        """
        lookup = f"{organisation}__" if organisation else ""
        return Q(**{f"{lookup}area": self.area_id}) & Q(**{f"{lookup}scope_path__startswith": self.path})


def rows(*, actor: Actor, part: ExportedPart, kind: SetupTable) -> list[ExportedCells]:
    """Returns the rows of one table, with cells in column order. The caller has checked that the actor sees the part."""
    made = {SetupTable.ORGANISATIONS: _organisations, SetupTable.OFFICES: _offices, SetupTable.ROLES: _roles}[kind]
    return list(made(actor, part))


def _organisations(actor: Actor, part: ExportedPart) -> Iterator[ExportedCells]:
    """Yields the open organisations. Leaves out the HSA-id of an organisation above that the actor does not see."""
    found = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(part.within(), closed_at=None)
    listed = list(found.select_related("area", "parent", "customisation").order_by("name", "pk"))
    fees = SubscriptionFee.objects.filter(part.within("organisation"), valid_from__lte=clock.now()).order_by("valid_from")
    charged = dict(fees.values_list("organisation_id", "charged"))
    reach = tuple(policy.reach(actor, Action.VIEW_CONFIGURATION))
    for row in listed:
        issuing = YES if row.area.issuing_organisation_id == row.pk else ""
        # A sub-organisation may have a fee from its time at the top; no file contains it. No fee means that none is charged.
        fee = "" if row.parent_id else YES if charged.get(row.pk) else NO
        above = row.parent.hsa_id if row.parent and row.parent.scope_path.startswith(reach) else ""
        own = (row.name, row.hsa_id, row.organisation_number, row.area.name, above, row.country, row.county)
        yield (*own, issuing, fee, customisation_word(row))


def _offices(actor: Actor, part: ExportedPart) -> Iterator[ExportedCells]:
    """Yields the open offices, also those that the part's organisations may only be connected to. No import creates a closed
    one. Only actors who see the office's own page get its address.
    """
    found = offices_to_connect(actor).with_rights(actor, (Action.VIEW_CONFIGURATION,))
    listed = list(found.filter(area=part.area_id, closed_at=None).select_related("area").order_by("name", "pk"))
    seen = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(part.within())
    pairs = OrganisationOffice.objects.filter(office__in=[row.pk for row in listed], organisation__in=seen.values("pk"))
    connected: dict[UUID, list[str]] = {}
    for office_id, hsa_id in pairs.order_by("organisation__hsa_id").values_list("office_id", "organisation__hsa_id"):
        connected.setdefault(office_id, []).append(hsa_id)
    for row in listed:
        address = (row.recipient_organisation, row.internal_recipient, row.street_address, row.postal_code, row.city)
        if not row.may_view_configuration:  # type: ignore[attr-defined]
            address = ("", "", "", "", "")
        for ids in batched(connected.get(row.pk, [""]), _IDS_IN_A_CELL):
            yield (row.name, row.invoice_comment, row.area.name, row.office_number, ", ".join(ids), *address)


def _roles(actor: Actor, part: ExportedPart) -> Iterator[ExportedCells]:
    """Yields the roles that the actor may give and end, of holders whose names the actor may read and who have an assignment in
    the area.
    """
    if not policy.holds(actor, Action.ASSIGN_ROLE):
        return
    there = part.within("organisation")
    if not part.path:
        there |= Q(area=part.area_id)
    grants: QuerySet[RoleGrant] = current(
        RoleGrant.objects.filter(there, role_reach.in_reach(actor), role_reach.visible_holders(actor))
    )
    listed = list(grants.select_related("person", "area", "organisation").order_by("person__sort_name", "person", "pk"))
    posts = _posts(actor, part.area_id, {grant.person_id for grant in listed})
    for grant in listed:
        own_posts = posts.get(grant.person_id, {})
        hsa_id = own_posts.get(grant.organisation_id) or next(iter(own_posts.values()), "")
        if hsa_id:
            yield _role(grant, hsa_id)


def _role(grant: RoleGrant, hsa_id: str) -> ExportedCells:
    first, last = grant.valid_from.astimezone(clock.STOCKHOLM).date(), last_day_of(grant)
    return (
        hsa_id,
        grant.person.sort_name,
        ROLE[grant.role],
        grant.organisation.hsa_id if grant.organisation else "",
        grant.area.name if grant.area else "",
        YES if grant.protected_persons else NO,
        first.isoformat(),
        last.isoformat() if last else "",
    )


def _posts(actor: Actor, area_id: UUID, person_ids: set[UUID]) -> dict[UUID, dict[UUID | None, str]]:
    """Returns the HSA-ids of people's assignments in the area that the actor sees, by organisation."""
    found: dict[UUID, dict[UUID | None, str]] = {}
    seen = Post.objects.visible_to(actor).filter(person__in=person_ids, organisation__area=area_id, ended_at=None)
    for person_id, organisation_id, hsa_id in seen.order_by("hsa_id").values_list("person_id", "organisation_id", "hsa_id"):
        found.setdefault(person_id, {}).setdefault(organisation_id, hsa_id)
    return found
