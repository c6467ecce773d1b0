"""What the pages of every import share: the form for a file, the preview of its rows, and carrying it out (docs/imports.md)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from siths_portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, Refused, TooManyRequests, Unavailable
from siths_portal.lib.files import tables as files
from siths_portal.lib.imports.importer import HasRef, Importer
from siths_portal.lib.imports.models import KeptImport
from siths_portal.lib.imports.planning import MAX_NEW, ImportPlan, PlannedRow, RowOutcome, grouped
from siths_portal.lib.pages.forms import Form

PAGE = 50
TAGS = {RowOutcome.CREATE: "new", RowOutcome.CHANGE: "info", RowOutcome.SAME: "info", RowOutcome.INVALID: "failed"}
OUTCOME_TEXTS: Mapping[RowOutcome, Any] = {
    RowOutcome.CREATE: gettext_lazy("Ny"),
    RowOutcome.CHANGE: gettext_lazy("Ändras"),
    RowOutcome.SAME: gettext_lazy("Finns redan"),
    RowOutcome.INVALID: gettext_lazy("Fel"),
}
_CHANGES = (RowOutcome.CREATE, RowOutcome.CHANGE)

type Shows = Callable[[PlannedRow[Any, Any]], bool]
_FILTERS: Mapping[str, tuple[Any, Shows]] = {
    "fel": (gettext_lazy("Fel"), lambda row: row.outcome is RowOutcome.INVALID),
    "katalog": ("", lambda row: bool(row.warnings)),
    "nytt": (gettext_lazy("Nytt"), lambda row: row.outcome in _CHANGES),
    "finns": (gettext_lazy("Finns redan"), lambda row: row.outcome is RowOutcome.SAME),
    "alla": (gettext_lazy("Alla rader"), lambda row: True),
}
"""Which rows a preview shows, by the value in its URL. The importer words its warnings (`katalog`)."""


class ImportFileForm(Form):
    """The form for an import's file."""

    file = forms.FileField(
        label=gettext_lazy("Fil"),
        help_text=gettext_lazy(
            "Excel-arbetsbok (.xlsx) med ett eller flera blad, eller CSV med en tabell. "
            "Högst %(size)d MB, och högst %(rows)s nya rader åt gången."
        )
        % {"size": files.MAX_BYTES // 1024 // 1024, "rows": grouped(MAX_NEW)},
        error_messages={
            "required": gettext_lazy("Välj en fil att läsa in."),
            "empty": gettext_lazy("Filen är tom. Välj en annan."),
        },
        widget=forms.FileInput(attrs={"accept": ".xlsx,.csv"}),
    )


@dataclass(frozen=True)
class PreviewRow:
    """A row of the preview, as the template shows it."""

    where: str
    what: str
    tag: str
    state: str
    summary: str
    errors: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Preview[P: PlannedRow[Any, Any]]:
    """One page of a preview: the planned rows that it shows, and the template's context."""

    shown: Sequence[P]
    context: Mapping[str, object]


def upload[A: HasRef, F: KeptImport](
    request: HttpRequest, importer: Importer[A, F, Any, Any], actor: A
) -> tuple[ImportFileForm, int, F | None]:
    """Returns the form, the status of its page, and the kept file if the request sent one that can be read. Raises Forbidden."""
    importer.require(actor)
    if request.method != "POST":
        return ImportFileForm(), 200, None
    form = ImportFileForm(request.POST, request.FILES)
    if not form.is_valid():
        return form, Invalid.http_status, None
    try:
        return form, 200, importer.keep(actor=actor, content=form.cleaned_data["file"].read())
    except (Invalid, Unavailable, Refused, TooManyRequests) as error:
        form.take(error)
        return form, error.http_status, None


def carry_out[A: HasRef](
    request: HttpRequest, importer: Importer[A, Any, Any, Any], actor: A, import_id: UUID, *, confirmed: bool
) -> DomainError | None:
    """Carries out the plan whose hash the preview's form sent. Returns the refusal to show, or None. Raises NotFound."""
    try:
        importer.carry_out(actor=actor, import_id=import_id, sha256=request.POST.get("plan", ""), confirmed=confirmed)
    except (Conflict, Invalid, Forbidden) as error:
        return error
    return None


def preview[P: PlannedRow[Any, Any]](
    request: HttpRequest, plan: ImportPlan[P], *, texts: Mapping[RowOutcome, Any] = OUTCOME_TEXTS, warned: Any = ""
) -> Preview[P]:
    """Returns the page of the preview that the request asks for. `texts` word the outcomes, `warned` the filter of warnings."""
    usual = "fel" if plan.has_errors else "katalog" if plan.warned else "alla"
    chosen = request.GET.get("visa", usual)
    chosen = chosen if chosen in _FILTERS else usual
    found = [row for row in plan.rows if _FILTERS[chosen][1](row)]
    shown, links = page_of(request, found, {"visa": chosen})
    choices = [
        (f"?visa={key}", text or warned, key == chosen, plan.number(shows))
        for key, (text, shows) in _FILTERS.items()
        if key != "katalog" or plan.warned
    ]
    return Preview(shown, {"plan": plan, "choices": choices, "rows": [_preview_row(row, texts) for row in shown], **links})


def page_of[T](request: HttpRequest, found: Sequence[T], parameters: Mapping[str, str]) -> tuple[Sequence[T], Mapping[str, str]]:
    """Returns PAGE of the items and the URLs of the next and the first page. They do not change, so a position finds them."""
    text = request.GET.get("fran", "")
    begin = int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else 0
    begin = begin if begin < len(found) else 0
    end = begin + PAGE
    first = f"?{urlencode(parameters)}" if parameters else request.path
    next_url = f"?{urlencode({**parameters, 'fran': end})}" if end < len(found) else ""
    return found[begin:end], {"next_url": next_url, "first_url": first if begin else ""}


def _preview_row(row: PlannedRow[Any, Any], texts: Mapping[RowOutcome, Any]) -> PreviewRow:
    return PreviewRow(
        where=row.place,
        what=row.name,
        tag=TAGS[row.outcome],
        state=str(texts[row.outcome]),
        summary=row.summary if row.outcome in _CHANGES else "",
        errors=tuple((row.table.heading(field), message) for field, messages in row.errors.items() for message in messages),
        warnings=tuple(row.warnings.values()),
    )
