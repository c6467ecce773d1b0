"""The import of set-up files: organisations, offices and role holders, each created by the service of its page (ADR 0194)."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.imports.domain import SETUP_TABLES
from issuance.imports.models import SetupImport
from issuance.imports.services import planning, unknown_people
from issuance.imports.services.planned_rows import (
    NewOrganisationChange,
    OfficeChange,
    PlannedSetupRow,
    RoleChange,
    SetupPlan,
    SetupRow,
)
from issuance.offices.services import link_organisations, make_office
from issuance.organisations.services import organisation_catalogue
from issuance.organisations.services.organisations import NewOrganisation, make_organisations
from issuance.organisations.services.tree import lock_tree
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.records.services import uploads
from issuance.roles.services import role_assignment
from siths_portal.lib.errors import NotFound
from siths_portal.lib.ids import new_id
from siths_portal.lib.imports.importer import Importer
from siths_portal.lib.imports.planning import REFUSALS


class SetupImporter(Importer[Actor, SetupImport, SetupRow, SetupPlan]):
    """Imports organisations, offices and role holders.

    `keep` reads unknown role holders from the HSA directory, and stores with each new organisation its differences from the
    directory. It also raises Unavailable and Refused, except for responses about organisations.
    """

    name = "setup_import"
    tables = SETUP_TABLES
    model = SetupImport
    row_class = SetupRow
    event = Event
    unconfirmed = (
        "catalogue-differs",
        "Rätta raderna som inte stämmer med HSA-katalogen, eller kryssa i rutan och läs in igen.",
    )

    def require(self, actor: Actor) -> None:
        """See `Importer`."""
        policy.reach(actor, Action.LINK_OFFICE)

    def plan(self, actor: Actor, rows: Sequence[SetupRow]) -> SetupPlan:
        """See `Importer`."""
        return planning.plan(actor, rows)

    def apply(self, actor: Actor, plan: SetupPlan) -> dict[str, Any]:
        """Creates everything new. Returns the ids of organisations and offices, and counts of the rest."""
        made = _make_organisations(actor, plan.order)
        _lock_people(plan)
        offices: list[UUID] = []
        for row in plan.rows:
            with row.applying():
                if isinstance(row.change, OfficeChange):
                    offices += _make_office(actor, row.change, made)
                elif isinstance(row.change, RoleChange):
                    _give(actor, row.change, made)
        counts = plan.counts
        return {
            "organisations": [str(pk) for pk in made.values()],
            "offices": [str(pk) for pk in offices],
            "connections": counts["connections"],
            "roles": counts["roles"],
            "same": counts["same"],
        }

    def not_found(self) -> NotFound:
        """See `Importer`."""
        return policy.not_found()

    @property
    def hours(self) -> int:
        """See `Importer`."""
        hours: int = settings.SETUP_IMPORT_HOURS
        return hours

    def admit(self, actor: Actor) -> None:
        """See `Importer`."""
        uploads.spend(actor)

    def plan_uploaded(self, actor: Actor, rows: Sequence[SetupRow]) -> SetupPlan:
        """Reads role holders who are not in the portal from the HSA directory first, and plans the rows."""
        unknown_people.read_unknown(actor, rows)
        return self.plan(actor, rows)

    def rows_to_keep(self, plan: SetupPlan) -> list[SetupRow]:
        """Returns the plan's rows; those of new organisations with the HSA directory's response."""
        data = {index: row.change.data for index, row in enumerate(plan.rows) if isinstance(row.change, NewOrganisationChange)}
        comparisons = dict(zip(data, organisation_catalogue.compare_all(list(data.values())), strict=True))
        return [
            dataclasses.replace(each.row, catalogue=comparisons[index].match.value, differences=comparisons[index].differences)
            if index in comparisons
            else each.row
            for index, each in enumerate(plan.rows)
        ]

    def lock(self) -> None:
        """Locks the tree of organisations."""
        lock_tree()


SETUP_IMPORTER = SetupImporter()


def may_set_up(actor: Actor) -> bool:
    """Returns whether the actor may import a set-up file."""
    return policy.holds(actor, Action.LINK_OFFICE)


def _make_organisations(actor: Actor, order: Sequence[PlannedSetupRow]) -> dict[str, UUID]:
    """Creates the new organisations in one step, because other changes of the tree wait in the meantime. Returns their ids by
    HSA-id.

    If a rule refuses that, creates them one by one up to the refused row, to report the row.
    """
    changes = [cast(NewOrganisationChange, row.change) for row in order]
    ids = {change.key: new_id() for change in changes}
    new_organisations = [
        NewOrganisation(
            ids[change.key],
            change.area_id,
            change.parent.among(ids) if change.parent else None,
            change.data,
            change.making,
            change.catalogue,
        )
        for change in changes
    ]
    try:
        with transaction.atomic():
            make_organisations(actor=actor, wanted=new_organisations)
    except REFUSALS:
        for row, new in zip(order, new_organisations, strict=True):
            with row.applying():
                make_organisations(actor=actor, wanted=[new])
    return ids


def _make_office(actor: Actor, change: OfficeChange, made: Mapping[str, UUID]) -> list[UUID]:
    """Creates or connects the office. Returns a list with the id of a new office, else an empty list."""
    new = [] if change.office_id else [make_office(actor=actor, area_id=change.area_id, data=change.data).pk]
    if change.organisations:
        organisation_ids = [ref.among(made) for ref in change.organisations]
        link_organisations(actor=actor, office_id=change.office_id or new[0], organisation_ids=organisation_ids)
    return new


def _lock_people(plan: SetupPlan) -> None:
    """Locks the people who get roles, in the order of their ids, as every transaction does that locks several people."""
    ids = {row.change.person_id for row in plan.rows if isinstance(row.change, RoleChange)}
    list(Person.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))


def _give(actor: Actor, change: RoleChange, made: Mapping[str, UUID]) -> None:
    reach = [change.area_id] if change.area_id else [change.organisation.among(made)] if change.organisation else []
    role_assignment.give(
        actor=actor,
        person_id=change.person_id,
        role=change.role,
        reach=reach,
        protected_persons=change.protected_persons,
        period=change.period,
    )
