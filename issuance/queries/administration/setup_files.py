"""The set-up of an issuing area as rows of the tables that an import takes: what is there comes back as nothing to do."""

from collections.abc import Iterator
from itertools import batched
from uuid import UUID

from django.db.models import Q, QuerySet

from issuance.authz import Action, Actor, policy
from issuance.domain.setup_files import NO, YES, Kind
from issuance.models import Office, Organisation, OrganisationOffice, Post, RoleGrant, SubscriptionFee
from issuance.queries.administration import role_reach
from issuance.queries.event_words import ROLE
from issuance.services.role_assignment import current, last_day_of
from issuance.services.setup_import import customisation_word
from siths_portal.lib import clock

Cells = tuple[str, ...]
_IDS_IN_A_CELL = 1000
"""HSA-ids in one row of an office; one with more organisations takes several rows."""


def rows(*, actor: Actor, area_id: UUID, kind: Kind) -> list[Cells]:
    """The rows of one table, in the order of its columns, of an area that the caller has checked that the actor sees."""
    made = {Kind.ORGANISATIONS: _organisations, Kind.OFFICES: _offices, Kind.ROLES: _roles}[kind]
    return list(made(actor, area_id))


def _organisations(actor: Actor, area_id: UUID) -> Iterator[Cells]:
    found = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id, closed_at=None)
    listed = list(found.select_related("area", "parent", "customisation").order_by("name", "pk"))
    fees = SubscriptionFee.objects.filter(organisation__area=area_id, valid_from__lte=clock.now()).order_by("valid_from")
    charged = dict(fees.values_list("organisation_id", "charged"))
    for row in listed:
        issuing = YES if row.area.issuing_organisation_id == row.pk else ""
        fee = "" if row.pk not in charged else YES if charged[row.pk] else NO
        above = row.parent.hsa_id if row.parent else ""
        own = (row.name, row.hsa_id, row.organisation_number, row.area.name, above, row.country, row.county)
        yield (*own, issuing, fee, customisation_word(row))


def _offices(actor: Actor, area_id: UUID) -> Iterator[Cells]:
    """Those that are open: a closed one is made by no import."""
    found = Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id, closed_at=None)
    listed = list(found.select_related("area").order_by("name", "pk"))
    pairs = OrganisationOffice.objects.filter(office__in=[row.pk for row in listed]).order_by("organisation__hsa_id")
    connected: dict[UUID, list[str]] = {}
    for office_id, hsa_id in pairs.values_list("office_id", "organisation__hsa_id"):
        connected.setdefault(office_id, []).append(hsa_id)
    for row in listed:
        for ids in batched(connected.get(row.pk, [""]), _IDS_IN_A_CELL):
            own = (row.name, row.invoice_comment, row.area.name, row.office_number, ", ".join(ids))
            yield (*own, row.recipient_organisation, row.internal_recipient, row.street_address, row.postal_code, row.city)


def _roles(actor: Actor, area_id: UUID) -> Iterator[Cells]:
    """Those that the actor gives and takes, of holders whom he may read by name and who have a post there; nothing for others."""
    if not policy.holds(actor, Action.ASSIGN_ROLE):
        return
    there = Q(area=area_id) | Q(organisation__area=area_id)
    grants: QuerySet[RoleGrant] = current(
        RoleGrant.objects.filter(there, role_reach.in_reach(actor), role_reach.visible_holders(actor))
    )
    listed = list(grants.select_related("person", "area", "organisation").order_by("person__sort_name", "person", "pk"))
    posts = _posts(actor, area_id, {grant.person_id for grant in listed})
    for grant in listed:
        mine = posts.get(grant.person_id, {})
        hsa_id = mine.get(grant.organisation_id) or next(iter(mine.values()), "")
        if hsa_id:
            yield _role(grant, hsa_id)


def _role(grant: RoleGrant, hsa_id: str) -> Cells:
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
    """The HSA-ids of people's posts in the area, as far as the actor sees them, by organisation."""
    found: dict[UUID, dict[UUID | None, str]] = {}
    seen = Post.objects.visible_to(actor).filter(person__in=person_ids, organisation__area=area_id, ended_at=None)
    for person_id, organisation_id, hsa_id in seen.order_by("hsa_id").values_list("person_id", "organisation_id", "hsa_id"):
        found.setdefault(person_id, {}).setdefault(organisation_id, hsa_id)
    return found
