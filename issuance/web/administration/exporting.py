"""Files of the set-up: templates to fill in, and what is there in an area, in the form that an import takes."""

from collections.abc import Iterator
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from issuance.authz import policy
from issuance.domain.setup_files import HELP_SHEET, SHAPES, Kind
from issuance.queries.administration import places, setup_files
from issuance.services import disclosures, setup_import
from issuance.web.administration.around import actor_of
from siths_portal.lib import clock, csv_files, workbooks
from siths_portal.lib.downloads import attachment
from siths_portal.lib.workbooks import Sheet

_CSV_TYPE = "text/csv; charset=utf-8"


@require_safe
def setup_template_xlsx(request: HttpRequest) -> HttpResponse:
    """The workbook to fill in, with a sheet of help. Raises Forbidden."""
    setup_import.require_setting_up(actor_of(request))
    empty = [Sheet(shape.title, shape.headings) for shape in SHAPES.values()]
    guide = Sheet(HELP_SHEET, ("Blad", "Kolumn", "Krävs", "Vad som skrivs"), list(_help()))
    content = workbooks.build([*empty, guide])
    return attachment(content, media_type=workbooks.XLSX_TYPE, filename="mall för import.xlsx")


def _help() -> Iterator[tuple[str, ...]]:
    for shape in SHAPES.values():
        for column in shape.columns:
            yield (shape.title, column.heading, "Ja" if column.needed else "", column.help)


@require_safe
def setup_template_csv(request: HttpRequest, kind: str) -> HttpResponse:
    """One table to fill in; its second line is help and is not read. Raises NotFound, Forbidden."""
    setup_import.require_setting_up(actor_of(request))
    shape = SHAPES[_kind(kind)]
    content = csv_files.build(shape.headings, [shape.help_line])
    return attachment(content, media_type=_CSV_TYPE, filename=f"mall {shape.title.lower()}.csv")


@require_safe
def area_export_xlsx(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """The set-up of an area as a workbook. That role holders are told is noted before. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.area_head(actor=actor, area_id=area_id)
    found = {kind: setup_files.rows(actor=actor, area_id=head.id, kind=kind) for kind in Kind}
    disclosures.record_setup_file(actor=actor, area_id=head.id, rows={kind.value: len(rows) for kind, rows in found.items()})
    content = workbooks.build(Sheet(SHAPES[kind].title, SHAPES[kind].headings, rows) for kind, rows in found.items())
    return attachment(content, media_type=workbooks.XLSX_TYPE, filename=f"uppställning {head.name} {clock.today()}.xlsx")


@require_safe
def area_export_csv(request: HttpRequest, area_id: UUID, kind: str) -> HttpResponse:
    """One table of the set-up of an area. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.area_head(actor=actor, area_id=area_id)
    wanted = _kind(kind)
    rows = setup_files.rows(actor=actor, area_id=head.id, kind=wanted)
    disclosures.record_setup_file(actor=actor, area_id=head.id, rows={wanted.value: len(rows)})
    content = csv_files.build(SHAPES[wanted].headings, rows)
    return attachment(content, media_type=_CSV_TYPE, filename=f"{wanted.value} {head.name} {clock.today()}.csv")


def _kind(text: str) -> Kind:
    try:
        return Kind(text)
    except ValueError:
        raise policy.not_found() from None
