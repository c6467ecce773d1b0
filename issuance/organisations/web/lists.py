"""The lists on pages of areas and organisations. The page's heading titles each table."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from issuance.articles.queries.articles import ArticleLine
from issuance.organisations.queries import areas
from issuance.organisations.queries.areas import OfficeLine, OrganisationLine
from issuance.organisations.queries.places import OrganisationHead
from issuance.records.web.frame import actor_of
from siths_portal.lib.lists import Column, Empty, Kind, Lines, List, Source, Tag


def _url(line: OrganisationLine) -> str:
    return reverse("organisation", args=[line.id])


_HSA_ID = Column[Any](
    key="id", heading=gettext_lazy("Organisations-id"), value="hsa_id", kind=Kind.NUMBER, css="whole", sort="hsa_id"
)
_AREA = Column[Any](key="omrade", heading=gettext_lazy("Utgivningsområde"), value="area", css="row-name")


class AreaOrganisationList(List[OrganisationLine]):
    """The top organisations of an area, with the number of organisations directly below each."""

    counted_as = ngettext_lazy("{n} organisation", "{n} organisationer")
    columns = (
        Column(
            key="namn",
            heading=gettext_lazy("Organisationsnamn"),
            value="name",
            sort="name",
            template="organisations/organisation_cell.html",
        ),
        Column(
            key="nummer",
            heading=gettext_lazy("Organisationsnummer"),
            value="organisation_number",
            kind=Kind.NUMBER,
            sort="organisation_number",
        ),
        _HSA_ID,
        _AREA,
    )
    table_id = "organisationer"
    order = "namn"
    heading_level = "3"
    empty = Empty(
        gettext_lazy("Ingen organisation än"),
        gettext_lazy("Här visas de organisationer som ingår i utgivningsområdet."),
    )

    def __init__(self, request: HttpRequest, area_id: UUID, below: Mapping[UUID | None, int]) -> None:
        super().__init__(request)
        self.area_id, self.below = area_id, below

    def rows(self) -> Source[OrganisationLine]:
        """See `List`."""
        return areas.organisations_in(actor=actor_of(self.request), area_id=self.area_id, below=self.below)


class SubOrganisationList(List[OrganisationLine]):
    """The organisations directly below another."""

    counted_as = ngettext_lazy("{n} underorganisation", "{n} underorganisationer")
    columns = (
        Column(key="namn", heading=gettext_lazy("Organisationsnamn"), value="name", sort="name", link=_url),
        _HSA_ID,
        Column(key="tillhor", heading=gettext_lazy("Tillhör organisation"), value="parent", css="row-name"),
        _AREA,
    )
    table_id = "underorganisationer"
    order = "namn"
    heading_level = "3"

    def __init__(self, request: HttpRequest, head: OrganisationHead, new_url: str) -> None:
        super().__init__(request)
        self.head = head
        self.empty = Empty(
            _("Ingen underorganisation"),
            _("Här visas organisationer som ligger direkt under organisationen."),
            new_url,
            _("Skapa underorganisation"),
        )

    def rows(self) -> Source[OrganisationLine]:
        """See `List`."""
        return areas.organisations_below(actor=actor_of(self.request), organisation_id=self.head.id, parent=self.head.name)


class OrderableArticleList(List[ArticleLine]):
    """The articles that an organisation may order."""

    counted_as = ngettext_lazy("{n} artikel", "{n} artiklar")
    columns = (
        Column(
            key="artikel",
            heading=gettext_lazy("Artikel"),
            value="title",
            sort=("number", "code"),
            link=lambda line: reverse("article", args=[line.code]),
        ),
        Column(key="status", heading=gettext_lazy("Status"), kind=Kind.TAG, value=lambda line: Tag(line.tag, line.state_text)),
    )
    table_id = "artiklar"
    prefix = "artikel_"
    fragment = "artiklar"
    order = "artikel"
    heading_level = "3"
    empty = Empty(
        gettext_lazy("Ingen artikel är vald"),
        gettext_lazy("Utan en vald artikel kan inga kort beställas för organisationens personer."),
    )

    def __init__(self, request: HttpRequest, lines: Sequence[ArticleLine]) -> None:
        super().__init__(request)
        self.lines = lines

    def rows(self) -> Source[ArticleLine]:
        """See `List`."""
        return Lines(self.lines)


class OfficeList(List[OfficeLine]):
    """Offices by name."""

    counted_as = ngettext_lazy("{n} kontor", "{n} kontor")
    columns = (
        Column(key="namn", heading=gettext_lazy("Kontorets namn"), value="name", template="organisations/office_cell.html"),
        Column(key="kommentar", heading=gettext_lazy("Fakturakommentar"), value="invoice_comment", css="row-name"),
        Column(
            key="adress",
            heading=gettext_lazy("Leveransadress"),
            value=lambda line: _("Ja") if line.has_address else _("Nej"),
        ),
    )
    table_id = "kontor"
    order = "namn"
    by = ("name",)
    prefix = "kontor_"
    fragment = "kontor"
    heading_level = "3"

    def __init__(self, request: HttpRequest, found: Source[OfficeLine], empty: Empty) -> None:
        super().__init__(request)
        self.found, self.empty = found, empty

    def rows(self) -> Source[OfficeLine]:
        """See `List`."""
        return self.found
