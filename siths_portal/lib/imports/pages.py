"""What the pages of every import share: the form for a file, the preview of its rows, and carrying it out (docs/imports.md)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from siths_portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, Refused, TooManyRequests, Unavailable
from siths_portal.lib.files import tables as files
from siths_portal.lib.imports.importer import HasRef, Importer
from siths_portal.lib.imports.models import KeptImport
from siths_portal.lib.imports.planning import MAX_NEW, ImportPlan, PlannedRow, RowOutcome, grouped
from siths_portal.lib.lists import Column, Empty, Lines, List, Source
from siths_portal.lib.pages.forms import Form

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
    shown = PreviewList(request, found, chosen, texts).shown()
    choices = [
        (f"?visa={key}", text or warned, key == chosen, plan.number(shows))
        for key, (text, shows) in _FILTERS.items()
        if key != "katalog" or plan.warned
    ]
    return Preview(shown.lines, {"plan": plan, "choices": choices, "list": shown})


class PreviewList[P: PlannedRow[Any, Any]](List[P]):
    """The rows of a preview that a filter shows, in the order of the file. `texts` word the outcomes."""

    table_id = "rader"
    fragment = "rader"
    count_in_heading = True  # the filters have the numbers
    heading_level = "3"
    empty = Empty(gettext_lazy("Inga sådana rader."))

    def __init__(self, request: HttpRequest, found: Sequence[P], filter_key: str, texts: Mapping[RowOutcome, Any]) -> None:
        super().__init__(request)
        self.found, self.filter_key, self.texts = found, filter_key, texts
        self.columns = (
            Column(key="rad", heading=_("Rad"), value="name", below=lambda row: [row.place]),
            Column(
                key="utfall",
                heading=_("Vad som händer"),
                value=self._outcome,
                template="components/import_outcome.html",
                css="row-fate",
            ),
        )

    def rows(self) -> Source[P]:
        """See `List`."""
        return Lines(self.found, paged=True)

    def fixed(self) -> Sequence[tuple[str, str]]:
        """See `List`."""
        return [("visa", self.filter_key)]

    def _outcome(self, row: P) -> Mapping[str, object]:
        """Returns what the template of the cell shows."""
        return {
            "tag": TAGS[row.outcome],
            "state": str(self.texts[row.outcome]),
            "summary": row.summary if row.outcome in _CHANGES else "",
            "errors": [(row.table.heading(name), message) for name, messages in row.errors.items() for message in messages],
            "warnings": list(row.warnings.values()),
        }
