"""Files of the set-up: templates, and exports in the format of imports."""

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from issuance.authz import Action, Actor, policy
from issuance.imports import queries as setup_files
from issuance.imports.domain import SETUP_TABLES, SetupTable
from issuance.imports.queries import ExportedPart
from issuance.imports.services import SETUP_IMPORTER
from issuance.organisations.models import Organisation
from issuance.organisations.queries import places
from issuance.people.services import disclosures
from issuance.records.web.frame import actor_of
from siths_portal.lib import clock
from siths_portal.lib.files import csv_files, workbooks
from siths_portal.lib.files.downloads import attachment
from siths_portal.lib.files.workbooks import Sheet
from siths_portal.lib.imports.columns import template_csv, template_workbook

CSV_TYPE = "text/csv; charset=utf-8"


@require_safe
def setup_template_xlsx(request: HttpRequest) -> HttpResponse:
    """Returns the template workbook, with a help sheet. Raises Forbidden."""
    SETUP_IMPORTER.require(actor_of(request))
    content = template_workbook(SETUP_TABLES)
    return attachment(content, media_type=workbooks.XLSX_TYPE, filename="mall för import.xlsx")


@require_safe
def setup_template_csv(request: HttpRequest, kind: str) -> HttpResponse:
    """Returns the template of one table. Its second line is help and is ignored when imported. Raises NotFound, Forbidden."""
    SETUP_IMPORTER.require(actor_of(request))
    table = SETUP_TABLES[_kind(kind)]
    content = template_csv(table)
    return attachment(content, media_type=CSV_TYPE, filename=f"mall {table.title.lower()}.csv")


@dataclass(frozen=True)
class _ExportedPlace:
    """The content of a file: an area or an organisation that the reader sees."""

    id: UUID
    name: str
    part: ExportedPart

    @classmethod
    def area(cls, actor: Actor, area_id: UUID) -> "_ExportedPlace":
        """Returns an area. Raises NotFound, Forbidden."""
        head = places.area_head(actor=actor, area_id=area_id)
        return cls(head.id, head.name, ExportedPart(head.id))

    @classmethod
    def organisation(cls, actor: Actor, organisation_id: UUID) -> "_ExportedPlace":
        """Returns an organisation with those below it. Raises NotFound, Forbidden."""
        row = policy.get(actor, Action.VIEW_CONFIGURATION, Organisation.objects, organisation_id)
        return cls(row.id, row.name, ExportedPart(row.area_id, row.scope_path))


@require_safe
def area_export_xlsx(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Returns the set-up of an area as a workbook. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    return _workbook(actor, _ExportedPlace.area(actor, area_id))


@require_safe
def area_export_csv(request: HttpRequest, area_id: UUID, kind: str) -> HttpResponse:
    """Returns one table of the set-up of an area. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    return _table(actor, _ExportedPlace.area(actor, area_id), kind)


@require_safe
def organisation_export_xlsx(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Returns the set-up of an organisation and those below it as a workbook. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    return _workbook(actor, _ExportedPlace.organisation(actor, organisation_id))


@require_safe
def organisation_export_csv(request: HttpRequest, organisation_id: UUID, kind: str) -> HttpResponse:
    """Returns one table of the set-up of an organisation and those below it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    return _table(actor, _ExportedPlace.organisation(actor, organisation_id), kind)


def _workbook(actor: Actor, place: _ExportedPlace) -> HttpResponse:
    """Returns all tables. Records the disclosure of role holders first."""
    found = {kind: setup_files.rows(actor=actor, part=place.part, kind=kind) for kind in SetupTable}
    disclosures.record_setup_file(actor=actor, place_id=place.id, rows={kind.value: len(rows) for kind, rows in found.items()})
    content = workbooks.build(Sheet(SETUP_TABLES[kind].title, SETUP_TABLES[kind].headings, rows) for kind, rows in found.items())
    return attachment(content, media_type=workbooks.XLSX_TYPE, filename=f"uppställning {place.name} {clock.today()}.xlsx")


def _table(actor: Actor, place: _ExportedPlace, kind: str) -> HttpResponse:
    """Returns one table. Records the disclosure first."""
    table_kind = _kind(kind)
    rows = setup_files.rows(actor=actor, part=place.part, kind=table_kind)
    disclosures.record_setup_file(actor=actor, place_id=place.id, rows={table_kind.value: len(rows)})
    content = csv_files.build(SETUP_TABLES[table_kind].headings, rows)
    return attachment(content, media_type=CSV_TYPE, filename=f"{table_kind.value} {place.name} {clock.today()}.csv")


def _kind(text: str) -> SetupTable:
    try:
        return SetupTable(text)
    except ValueError:
        raise policy.not_found() from None
