"""The lists of articles: the catalogue, and the choices of the forms that make articles orderable."""

from collections.abc import Collection, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from issuance.articles.queries import articles
from issuance.articles.queries.articles import ArticleLine, OfferedLine
from issuance.articles.web.article_forms import ArticleChoiceForm
from issuance.records.web.frame import actor_of
from siths_portal.lib.lists import Column, Empty, FormChoice, Kind, Lines, List, Source, Tag


def _appearance(line: ArticleLine) -> str:
    return f"{line.orientation}, {_('med foto') if line.photo else _('utan foto')}"


class ArticleList(List[ArticleLine]):
    """The articles that match the filters."""

    counted_as = ngettext_lazy("{n} artikel", "{n} artiklar")
    columns = (
        Column(key="artikel", heading=gettext_lazy("Nummer"), value="number", kind=Kind.NUMBER, sort="number"),
        Column(
            key="namn",
            heading=gettext_lazy("Namn"),
            value="name",
            sort="name",
            link=lambda line: reverse("article", args=[line.code]),
            row_header=True,
        ),
        Column(key="slag", heading=gettext_lazy("Slag"), value="kind"),
        Column(
            key="utforande",
            heading=gettext_lazy("Utförande"),
            value=_appearance,
            below=lambda line: [_("Generation {generation}").format(generation=line.generation)] if line.generation else [],
        ),
        Column(
            key="galler",
            heading=gettext_lazy("Gäller från"),
            value="valid_from",
            kind=Kind.DAY,
            sort="valid_from",
            below=lambda line: [_("till {day}").format(day=line.valid_to)] if line.valid_to else [],
        ),
        Column(key="status", heading=gettext_lazy("Status"), kind=Kind.TAG, value=lambda line: Tag(line.tag, line.state_text)),
    )
    caption = gettext_lazy("Katalogen")
    caption_hidden = True
    table_id = "artiklar"
    css = "table-close"
    order = "artikel"
    empty = Empty(gettext_lazy("Inga artiklar"), gettext_lazy("SITHS-förvaltningen skapar artiklar."))
    no_match = Empty(gettext_lazy("Inga artiklar"), gettext_lazy("Ingen artikel stämmer med urvalet."))

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.choices = ArticleChoiceForm(request.GET)

    def form(self) -> ArticleChoiceForm:
        """See `List`."""
        return self.choices

    def rows(self) -> Source[ArticleLine]:
        """See `List`."""
        return articles.catalogue(actor=actor_of(self.request), choice=self.choices.choice)


class _ChoiceList(List[Any]):
    """Lines of a form, in their own order. The page's heading titles the table."""

    heading_level = "3"

    def __init__(self, request: HttpRequest, lines: Sequence[Any], picked: Collection[str]) -> None:
        super().__init__(request)
        self.lines, self.picked = lines, picked

    def rows(self) -> Source[Any]:
        """See `List`."""
        return Lines(self.lines)


class ArticleChoiceList(_ChoiceList):
    """Articles to choose for organisations."""

    counted_as = ngettext_lazy("{n} artikel", "{n} artiklar")
    columns: Sequence[Column[Any]] = (
        Column(key="artikel", heading=gettext_lazy("Artikel"), value="title", choice=FormChoice(field="article", sent="code")),
        Column(key="slag", heading=gettext_lazy("Slag"), value="kind"),
        Column(key="status", heading=gettext_lazy("Status"), kind=Kind.TAG, value=lambda line: Tag(line.tag, line.state_text)),
    )
    table_id = "artiklar"
    empty = Empty(gettext_lazy("Inga artiklar"), gettext_lazy("Det finns ingen artikel som kan beställas än."))

    @classmethod
    def offered(cls, request: HttpRequest, lines: Sequence[OfferedLine]) -> "ArticleChoiceList":
        """Returns the articles of one organisation; those that it may order are ticked."""
        return cls(request, [line.article for line in lines], [line.article.code for line in lines if line.orderable])


class PlaceChoiceList(_ChoiceList):
    """Organisations of an area for which articles are chosen, in tree order."""

    columns = (
        Column(
            key="organisation",
            heading=gettext_lazy("Organisation"),
            value="name",
            choice=FormChoice(field="organisation", level=lambda line: line.level),
        ),
        Column(
            key="artiklar",
            heading=gettext_lazy("Beställningsbara artiklar"),
            value=lambda line: str(line.orderable) if line.orderable else _("Inga"),
        ),
        Column(key="id", heading=gettext_lazy("Organisations-id"), value="hsa_id", kind=Kind.NUMBER, css="whole"),
    )
    table_id = "organisationer"
    count_in_heading = True
    empty = Empty(gettext_lazy("Ingen organisation hittades"), gettext_lazy("Kontrollera stavningen, eller sök på något annat."))
