"""Importera från fil: a file is sent, what would come of each row is looked at, and it is carried out whole or not at all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from issuance.authz import Action, Actor
from issuance.imports import services as setup_import
from issuance.imports.domain import SHAPES, Kind
from issuance.imports.models import SetupImport
from issuance.imports.services import ImportPlan, PlannedRow, RowOutcome, Stale
from issuance.offices.models import Office
from issuance.organisations.models import Organisation
from issuance.organisations.queries import areas
from issuance.organisations.queries.areas import AreaLine
from issuance.people.services import disclosures
from issuance.records.web.forms import DESPITE
from issuance.records.web.frame import ADMINISTRATION, Crumb, actor_of, recent_login, render_page
from issuance.records.web.values import row
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, Refused, TooManyRequests, Unavailable
from siths_portal.lib.files import tables
from siths_portal.lib.files.uploads import takes_files
from siths_portal.lib.http.answer_times import in_step
from siths_portal.lib.lists import List, Source
from siths_portal.lib.pages.error_pages import told_when
from siths_portal.lib.pages.forms import Form

PAGE = 50
_TAGS = {RowOutcome.MAKE: "new", RowOutcome.CONNECT: "info", RowOutcome.SAME: "info", RowOutcome.WRONG: "failed"}
_WORDS = {
    RowOutcome.MAKE: gettext_lazy("Ny"),
    RowOutcome.CONNECT: gettext_lazy("Kopplas"),
    RowOutcome.SAME: gettext_lazy("Finns redan"),
    RowOutcome.WRONG: gettext_lazy("Fel"),
}
SHOWN: dict[str, tuple[Any, Callable[[PlannedRow], bool]]] = {
    "fel": (gettext_lazy("Fel"), lambda line: line.outcome is RowOutcome.WRONG),
    "katalog": (gettext_lazy("Stämmer inte med katalogen"), lambda line: bool(line.doubts)),
    "nytt": (gettext_lazy("Nytt"), lambda line: line.outcome in (RowOutcome.MAKE, RowOutcome.CONNECT)),
    "finns": (gettext_lazy("Finns redan"), lambda line: line.outcome is RowOutcome.SAME),
    "alla": (gettext_lazy("Alla rader"), lambda line: True),
}
"""Which rows a preview shows, as addresses call it."""


class UploadForm(Form):
    """A file of the set-up."""

    file = forms.FileField(
        label=gettext_lazy("Fil"),
        help_text=gettext_lazy(
            "Excel-arbetsbok (.xlsx) med ett eller flera blad, eller CSV med en tabell. "
            "Högst %(size)d MB, och högst %(rows)s nya rader åt gången."
        )
        % {"size": tables.MAX_BYTES // 1024 // 1024, "rows": setup_import.grouped(setup_import.MAX_NEW)},
        error_messages={
            "required": gettext_lazy("Välj en fil att läsa in."),
            "empty": gettext_lazy("Filen är tom. Välj en annan."),
        },
        widget=forms.FileInput(attrs={"accept": ".xlsx,.csv"}),
    )


@dataclass(frozen=True)
class Shown:
    """A row of the preview."""

    where: str
    what: str
    tag: str
    state: str
    told: str
    wrong: tuple[tuple[str, str], ...]
    doubts: tuple[str, ...]


class ExportedAreaList(List[AreaLine]):
    """The issuing areas in sight by name, which the page draws with what can be exported of each."""

    columns = ()
    by = ("name",)
    fragment = "export"
    count_to = 0

    def rows(self) -> Source[AreaLine]:
        """See `List`."""
        return areas.areas(actor=actor_of(self.request))


@dataclass(frozen=True)
class _Place:
    """An area or an organisation whose set-up can be fetched."""

    kind: str
    id: UUID
    name: str

    @property
    def workbook(self) -> str:
        """The address of all its tables."""
        return reverse(f"{self.kind}_export_xlsx", args=[self.id])

    @property
    def tables(self) -> list[tuple[str, str]]:
        """The address of each of them, with what it is called."""
        return [(reverse(f"{self.kind}_export_csv", args=[self.id, kind.value]), shape.title) for kind, shape in SHAPES.items()]


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
def setup_import_start(request: HttpRequest) -> HttpResponse:
    """Takes a file and goes on to its preview; shows templates and what can be fetched. Raises Forbidden."""
    actor = actor_of(request)
    setup_import.require_setting_up(actor)
    form, status = UploadForm(), 200
    if request.method == "POST":
        form = UploadForm(request.POST, request.FILES)
        status = Invalid.http_status
        if form.is_valid():
            try:
                made = setup_import.keep(actor=actor, content=form.cleaned_data["file"].read())
                return in_step(redirect("setup_import_preview", made.id))
            except (Invalid, Unavailable, Refused, TooManyRequests) as error:
                form.take(error)
                status = error.http_status
    seen = ExportedAreaList(request).shown()
    granted = () if seen.first_url else areas.granted_organisations(actor=actor)
    context = {
        "form": form,
        "shapes": [(kind.value, shape) for kind, shape in SHAPES.items()],
        "places": [
            *(_Place("area", line.id, line.name) for line in seen.lines),
            *(_Place("organisation", line.id, line.name) for line in granted),
        ],
        "organisations": bool(granted),
        "next_url": seen.next_url,
        "previous_url": seen.previous_url,
        "first_url": seen.first_url,
    }
    heading = _("Importera från fil")
    answer = render_page(
        request, ADMINISTRATION, "imports/start.html", context, heading=heading, crumbs=[Crumb(heading)], status=status
    )
    return told_when(answer, form.retry_after)


@require_http_methods(["GET", "HEAD", "POST"])
def setup_import_preview(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """What would come of a file, and when it was carried out, what came of it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    kept = setup_import.own(actor=actor, import_id=import_id)
    if kept.done_at is not None:
        return _result(request, actor, kept)
    if request.method == "POST" and "avbryt" in request.POST:
        setup_import.give_up(actor=actor, import_id=import_id)
        messages.success(request, _("Filen är borttagen. Inget har lästs in."))
        return redirect("setup_import")
    plan = setup_import.planned(actor=actor, row=kept)
    if request.method != "POST":
        return _preview(request, actor, kept, plan)
    if plan.gives_roles and (step_up := recent_login(request)):
        return step_up
    try:
        read = DESPITE in request.POST
        setup_import.carry_out(actor=actor, import_id=import_id, sha256=request.POST.get("plan", ""), despite=read)
    except (Stale, Conflict, Invalid, Forbidden) as error:
        now = setup_import.planned(actor=actor, row=kept)
        return _preview(request, actor, kept, now, refusal=error.message, status=error.http_status)
    messages.success(request, _("Filen är inläst."))
    return redirect("setup_import_preview", import_id)


def _preview(
    request: HttpRequest, actor: Actor, kept: SetupImport, plan: ImportPlan, *, refusal: str = "", status: int = 200
) -> HttpResponse:
    usual = "fel" if plan.wrong else "katalog" if plan.doubted else "alla"
    chosen = request.GET.get("visa", usual)
    chosen = chosen if chosen in SHOWN else usual
    found = [line for line in plan.lines if SHOWN[chosen][1](line)]
    begin = _position(request, len(found))
    shown = found[begin : begin + PAGE]
    people = [line.person_id for line in shown if line.person_id and line.outcome is RowOutcome.MAKE]
    if people:
        disclosures.record_setup_people(actor=actor, import_id=kept.id, person_ids=people)
    context = {
        "plan": plan,
        "refusal": refusal,
        "counts": _counts(plan.counts),
        "choices": [
            (f"?visa={key}", text, key == chosen, plan.number(shows))
            for key, (text, shows) in SHOWN.items()
            if key != "katalog" or plan.doubted
        ],
        "rows": list(_rows(shown)),
        "next_url": f"?{urlencode({'visa': chosen, 'fran': begin + PAGE})}" if begin + PAGE < len(found) else "",
        "first_url": f"?{urlencode({'visa': chosen})}" if begin else "",
        "ends": kept.expires_at,
    }
    heading = _("Förhandsgranska importen")
    answer = _page(request, "imports/preview.html", context, heading=heading, status=status)
    return in_step(answer) if plan.wrong else answer


def _page(request: HttpRequest, template: str, context: dict[str, object], *, heading: str, status: int = 200) -> HttpResponse:
    crumbs = [Crumb(_("Importera från fil"), reverse("setup_import")), Crumb(heading)]
    return render_page(request, ADMINISTRATION, template, context, heading=heading, crumbs=crumbs, status=status)


def _position(request: HttpRequest, count: int) -> int:
    """Where in the file's rows the page begins; the file does not change, so a number does."""
    text = request.GET.get("fran", "")
    place = int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else 0
    return place if place < count else 0


def _counts(counts: Mapping[str, int]) -> list[dict[str, object]]:
    """Numbers of what will be or was made; what there is none of is left out."""
    words = {
        "organisations": _("Nya organisationer"),
        "offices": _("Nya kontor"),
        "connections": _("Kopplingar mellan kontor och organisationer"),
        "roles": _("Nya behörighetsroller"),
        "same": _("Finns redan"),
        "wrong": _("Rader med fel"),
    }
    return [row(text, str(counts[key])) for key, text in words.items() if counts.get(key)]


def _rows(lines: Sequence[PlannedRow]) -> Iterator[Shown]:
    for line in lines:
        shape = SHAPES[line.row.kind]
        wrong = tuple((shape.heading(field), message) for field, messages in line.wrong.items() for message in messages)
        yield Shown(
            where=f"{line.row.sheet or shape.title} {line.row.number}",
            what=_what(line),
            tag=_TAGS[line.outcome],
            state=str(_WORDS[line.outcome]),
            told=line.told if line.outcome in (RowOutcome.MAKE, RowOutcome.CONNECT) else "",
            wrong=wrong,
            doubts=tuple(line.doubts.values()),
        )


def _what(line: PlannedRow) -> str:
    fields = ("role", "hsa_id") if line.row.kind is Kind.ROLES else ("name", "hsa_id")
    return ", ".join(text for text in (line.row.get(field) for field in fields) if text) or "–"


def _result(request: HttpRequest, actor: Actor, kept: SetupImport) -> HttpResponse:
    """What was made, as far as the actor still sees it, in pages."""
    made = kept.made
    organisations = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION)
    offices = Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION)
    ids = [("organisation", pk) for pk in made["organisations"]] + [("office", pk) for pk in made["offices"]]
    begin = _position(request, len(ids))
    shown = ids[begin : begin + PAGE]
    names = dict(organisations.filter(pk__in=[pk for kind, pk in shown if kind == "organisation"]).values_list("pk", "name"))
    names |= dict(offices.filter(pk__in=[pk for kind, pk in shown if kind == "office"]).values_list("pk", "name"))
    links = [(kind, names[UUID(pk)], reverse(kind, args=[pk])) for kind, pk in shown if UUID(pk) in names]
    context = {
        "counts": _counts(made | {"organisations": len(made["organisations"]), "offices": len(made["offices"])}),
        "gave_roles": bool(made["roles"]),
        "links": links,
        "next_url": f"?{urlencode({'fran': begin + PAGE})}" if begin + PAGE < len(ids) else "",
        "first_url": request.path if begin else "",
        "done_at": kept.done_at,
    }
    return _page(request, "imports/result.html", context, heading=_("Resultat av importen"))
