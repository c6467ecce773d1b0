"""The lists of the pages of set-up files: what can be exported, and what an import created."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from issuance.authz import Action, Actor
from issuance.imports.domain import SETUP_TABLES
from issuance.offices.models import Office
from issuance.organisations.models import Organisation
from issuance.organisations.queries import areas
from siths_portal.lib.lists import Column, Cursor, Key, Lines, List, Order, Page, Source

_CELLS = "imports/cells.html"


@dataclass(frozen=True)
class ExportedPlace:
    """An area or an organisation with a set-up to export."""

    kind: str
    id: UUID
    name: str

    @property
    def workbook(self) -> str:
        """Returns the URL of the workbook with all tables."""
        return reverse(f"{self.kind}_export_xlsx", args=[self.id])

    @property
    def tables(self) -> list[tuple[str, str]]:
        """Returns the URL and the title of each table."""
        return [(reverse(f"{self.kind}_export_csv", args=[self.id, kind]), table.title) for kind, table in SETUP_TABLES.items()]


@dataclass(frozen=True)
class _Exports:
    """The areas that the actor sees, and on the first page the organisations in which the actor has a role."""

    areas: Source[ExportedPlace]
    organisations: Sequence[ExportedPlace]

    def page(self, order: Order, by: Sequence[str | Key], cursor: Cursor | None, limit: int) -> Page[ExportedPlace]:
        """See `Source`."""
        found = self.areas.page(order, by, cursor, limit)
        return Page((*found.lines, *self.organisations), found.previous, found.next)

    def count(self, most: int) -> int:
        """See `Source`."""
        return min(self.areas.count(most) + len(self.organisations), most)

    def every(self, order: Order, by: Sequence[str | Key]) -> Iterator[ExportedPlace]:
        """See `Source`."""
        yield from self.areas.every(order, by)
        yield from self.organisations


class ExportList(List[ExportedPlace]):
    """Areas and organisations with the files of each. The page's heading titles the table."""

    columns = (
        Column(key="namn", heading=gettext_lazy("Utgivningsområde"), value="name"),
        Column(key="excel", heading=gettext_lazy("Excel"), value="workbook", template=f"{_CELLS}#workbook"),
        Column(key="csv", heading=gettext_lazy("CSV"), value="tables", template=f"{_CELLS}#tables"),
    )
    table_id = "export"
    fragment = "export"
    by = ("name",)
    count_to = 0

    def __init__(self, request: HttpRequest, actor: Actor) -> None:
        super().__init__(request)
        is_first = not {"efter", "fore"} & request.GET.keys()
        granted = areas.granted_organisations(actor=actor) if is_first else ()
        self.has_organisations = bool(granted)
        self.found = _Exports(
            areas.areas(actor=actor).mapped(lambda found: [ExportedPlace("area", line.id, line.name) for line in found]),
            [ExportedPlace("organisation", line.id, line.name) for line in granted],
        )
        if granted:
            self.columns = (Column(key="namn", heading=_("Område eller organisation"), value="name"), *self.columns[1:])

    def rows(self) -> Source[ExportedPlace]:
        """See `List`."""
        return self.found


@dataclass(frozen=True)
class _Made:
    """An organisation or office that an import created."""

    name: str
    kind: str
    url: str


class MadeList(List[_Made]):
    """What an import created, as far as the actor still sees it."""

    columns = (
        Column(key="namn", heading=gettext_lazy("Namn"), value="name", link=lambda line: line.url),
        Column(key="slag", heading=gettext_lazy("Slag"), value="kind"),
    )
    table_id = "nytt"
    fragment = "nytt"
    count_in_heading = True  # the summary has the numbers

    def __init__(self, request: HttpRequest, actor: Actor, made: Mapping[str, Sequence[str]]) -> None:
        super().__init__(request)
        self.actor, self.made = actor, made

    def rows(self) -> Source[_Made]:
        """See `List`."""
        ids = [*(("organisation", pk) for pk in self.made["organisations"]), *(("office", pk) for pk in self.made["offices"])]
        return Lines(ids, paged=True, convert=self._named)

    def _named(self, found: Sequence[tuple[str, str]]) -> Sequence[_Made]:
        organisations = Organisation.objects.visible_to(self.actor, Action.VIEW_CONFIGURATION)
        offices = Office.objects.visible_to(self.actor, Action.VIEW_CONFIGURATION)
        names = dict(organisations.filter(pk__in=[pk for kind, pk in found if kind == "organisation"]).values_list("pk", "name"))
        names |= dict(offices.filter(pk__in=[pk for kind, pk in found if kind == "office"]).values_list("pk", "name"))
        words = {"organisation": _("Organisation"), "office": _("Kontor")}
        return [_Made(names[UUID(pk)], words[kind], reverse(kind, args=[pk])) for kind, pk in found if UUID(pk) in names]
