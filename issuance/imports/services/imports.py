"""Imports of the set-up: a file is read and kept, its preview looked at, and it is carried out whole or not at all (ADR 0194)."""

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from issuance.authz import Action, Actor, policy
from issuance.imports.domain import Format
from issuance.imports.models import SetupImport
from issuance.imports.services import planning, unknown_people
from issuance.imports.services.lines import ImportPlan, OfficeStep, OrganisationStep, PlannedRow, RoleStep
from issuance.imports.services.reading import FIELD, Row, rows_of
from issuance.offices.services import link_organisations, make_office
from issuance.organisations.services import organisation_catalogue
from issuance.organisations.services.organisations import NewOrganisation, make_organisations
from issuance.organisations.services.tree import lock_tree
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.records.services import uploads
from issuance.roles.services import role_assignment
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from siths_portal.lib.files import tables
from siths_portal.lib.ids import new_id

REFUSALS = (Invalid, Conflict, Forbidden, NotFound)
"""How a row is refused by the rules of its page."""

KEPT_AT_ONCE = 5
"""Files of one person that are kept; the oldest goes for the sixth."""


class Stale(Conflict):
    """What would come of carrying out is not what the preview told. Code `changed-meanwhile`."""

    def __init__(self) -> None:
        message = "Det som gäller i portalen har ändrats sedan förhandsgranskningen. Granska på nytt och läs in igen."
        super().__init__("changed-meanwhile", message)


def require_setting_up(actor: Actor) -> None:
    """Passes for those who set up something somewhere: what they may, each row decides. Raises Forbidden."""
    policy.reach(actor, Action.LINK_OFFICE)


def may_set_up(actor: Actor) -> bool:
    """Whether `require_setting_up` would pass."""
    return policy.holds(actor, Action.LINK_OFFICE)


def keep(*, actor: Actor, content: bytes) -> SetupImport:
    """Reads a file and keeps its rows for SETUP_IMPORT_HOURS, for the actor alone. Nothing of it is in force.

    Role holders whom the portal does not know are asked for in the catalogue, and what it says of new organisations is kept with
    their rows; of these alone it may be silent. Raises Forbidden, Invalid at `file` for a file that
    cannot be taken or has more to do than is done at once, TooManyRequests, Unavailable, Refused.
    """
    require_setting_up(actor)
    uploads.spend(actor)
    rows = rows_of(content)
    unknown_people.ask(actor, rows)
    plan = planning.plan(actor, rows)
    _require_short(plan)
    rows = _with_catalogue(plan)
    with transaction.atomic(durable=True):
        return _keep(actor, content, rows)


def _with_catalogue(plan: ImportPlan) -> list[Row]:
    """The plan's rows, those of new organisations with what the catalogue says of them."""
    steps = {index: line.step.data for index, line in enumerate(plan.lines) if isinstance(line.step, OrganisationStep)}
    said = dict(zip(steps, organisation_catalogue.answers(list(steps.values())), strict=True))
    return [
        dataclasses.replace(line.row, catalogue=said[index].said.value, differences=said[index].differences)
        if index in said
        else line.row
        for index, line in enumerate(plan.lines)
    ]


def _require_short(plan: ImportPlan) -> None:
    """Passes for what is done at once. Raises Invalid at the file."""
    if plan.too_long:
        raise Invalid("too-many-new", plan.too_long, fields={FIELD: [plan.too_long]})


def _keep(actor: Actor, content: bytes, rows: Sequence[Row]) -> SetupImport:
    now = clock.now()
    kept = SetupImport.objects.filter(owner_ref=actor.ref, done_at=None).order_by("-created_at", "-pk")
    SetupImport.objects.filter(pk__in=list(kept.values_list("pk", flat=True)[KEPT_AT_ONCE - 1 :])).delete()
    row = SetupImport.objects.create(
        owner_ref=actor.ref,
        format=(Format.XLSX if tables.is_workbook(content) else Format.CSV).value,
        sha256=sha256_hex(content),
        rows=[row.plain for row in rows],
        created_at=now,
        expires_at=now + dt.timedelta(hours=max(settings.SETUP_IMPORT_HOURS, 1)),
    )
    _record(actor, "setup_import.read", row, rows=len(rows))
    return row


def own(*, actor: Actor, import_id: UUID, rows: QuerySet[SetupImport] | None = None) -> SetupImport:
    """The actor's import that still opens. Raises Forbidden, and NotFound for any other."""
    require_setting_up(actor)
    rows = SetupImport.objects.all() if rows is None else rows
    row = rows.filter(pk=import_id, owner_ref=actor.ref, expires_at__gt=clock.now()).first()
    if row is None:
        raise policy.not_found()
    return row


def planned(*, actor: Actor, row: SetupImport) -> ImportPlan:
    """What becomes of an import that was not carried out, as things stand now."""
    return planning.plan(actor, [Row.of(plain) for plain in row.rows])


@transaction.atomic(durable=True)
def carry_out(*, actor: Actor, import_id: UUID, sha256: str, despite: bool = False) -> SetupImport:
    """Makes all that the preview with this hash told, or nothing; one that has been carried out stays as it is.

    Each row is made by the service of its page, with that page's rights, rules and events. `despite` says that what the catalogue
    has otherwise was read. Raises NotFound, Forbidden, Stale, Invalid if a row is wrong or `despite` is needed, Conflict that
    names the row which a rule refuses.
    """
    row = own(actor=actor, import_id=import_id, rows=SetupImport.objects.select_for_update())
    if row.done_at is not None:
        return row
    lock_tree()
    plan = planned(actor=actor, row=row)
    if plan.sha256 != sha256:
        raise Stale
    _require_short(plan)
    if plan.wrong or plan.nothing:
        message = "Rätta raderna i filen och läs in den på nytt." if plan.wrong else "Allt i filen finns redan."
        raise Invalid("rows-wrong" if plan.wrong else "nothing-to-do", message)
    if plan.doubted and not despite:
        raise Invalid("catalogue-differs", "Rätta raderna som inte stämmer med katalogen, eller kryssa i rutan och läs in igen.")
    row.made = _make(actor, plan)
    row.rows, row.done_at = [], clock.now()
    row.save(update_fields=["rows", "done_at", "made"])
    _record(actor, "setup_import.carried_out", row, **plan.counts)
    return row


@transaction.atomic(durable=True)
def give_up(*, actor: Actor, import_id: UUID) -> None:
    """Deletes an import that was not carried out. Raises NotFound, Forbidden."""
    row = own(actor=actor, import_id=import_id, rows=SetupImport.objects.select_for_update())
    if row.done_at is None:
        row.delete()


def _make(actor: Actor, plan: ImportPlan) -> dict[str, Any]:
    """Makes all that is new. Returns the ids of organisations and offices, and counts of the rest."""
    made = _make_organisations(actor, plan.order)
    _lock_people(plan)
    offices: list[UUID] = []
    for line in plan.lines:
        with _at(line):
            if isinstance(line.step, OfficeStep):
                offices += _make_office(actor, line.step, made)
            elif isinstance(line.step, RoleStep):
                _give(actor, line.step, made)
    counts = plan.counts
    return {
        "organisations": [str(pk) for pk in made.values()],
        "offices": [str(pk) for pk in offices],
        "connections": counts["connections"],
        "roles": counts["roles"],
        "same": counts["same"],
    }


@contextmanager
def _at(line: PlannedRow) -> Iterator[None]:
    """Tells what refuses a row together with the row, since the preview could not know it."""
    try:
        yield
    except REFUSALS as error:
        where = f"I bladet {line.row.sheet}, rad {line.row.number}" if line.row.sheet else f"På rad {line.row.number}"
        raise Conflict(error.code, f"Inget har lästs in. {where}: {_said(error)}") from error


def _said(error: DomainError) -> str:
    return next(iter(error.fields.values()), [error.message])[0]


def _make_organisations(actor: Actor, order: Sequence[PlannedRow]) -> dict[str, UUID]:
    """The ids of the new organisations by their HSA-ids, made all at once: changes of the tree wait for them.

    What refuses them is told by making them one by one, until that row.
    """
    steps = [cast(OrganisationStep, line.step) for line in order]
    ids = {step.key: new_id() for step in steps}
    wanted = [
        NewOrganisation(
            ids[step.key], step.area_id, step.parent.among(ids) if step.parent else None, step.data, step.making, step.catalogue
        )
        for step in steps
    ]
    try:
        with transaction.atomic():
            make_organisations(actor=actor, wanted=wanted)
    except REFUSALS:
        for line, new in zip(order, wanted, strict=True):
            with _at(line):
                make_organisations(actor=actor, wanted=[new])
    return ids


def _make_office(actor: Actor, step: OfficeStep, made: Mapping[str, UUID]) -> list[UUID]:
    """The office's id if it is new."""
    new = [] if step.office_id else [make_office(actor=actor, area_id=step.area_id, data=step.data).pk]
    if step.organisations:
        wanted = [ref.among(made) for ref in step.organisations]
        link_organisations(actor=actor, office_id=step.office_id or new[0], organisation_ids=wanted)
    return new


def _lock_people(plan: ImportPlan) -> None:
    """Locks those who get roles in the order of their ids, as everybody does who locks several: the rows stand in any order."""
    ids = {line.step.person_id for line in plan.lines if isinstance(line.step, RoleStep)}
    list(Person.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))


def _give(actor: Actor, step: RoleStep, made: Mapping[str, UUID]) -> None:
    reach = [step.area_id] if step.area_id else [step.organisation.among(made)] if step.organisation else []
    role_assignment.give(
        actor=actor,
        person_id=step.person_id,
        role=step.role,
        reach=reach,
        protected_persons=step.protected_persons,
        period=step.period,
    )


def _record(actor: Actor, action: str, row: SetupImport, **facts: int) -> None:
    Event.record(
        actor_ref=actor.ref,
        action=action,
        subject_type="setup_import",
        subject_ref=str(row.pk),
        facts={"sha256": row.sha256, "format": row.format, **facts},
    )


def delete_expired() -> int:
    """Deletes files whose time is out. Returns the number of rows."""
    return SetupImport.objects.filter(expires_at__lte=clock.now()).delete()[0]
