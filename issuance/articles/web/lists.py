"""The list of the articles in the catalogue."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from issuance.articles.queries import articles
from issuance.articles.queries.articles import ArticleLine
from issuance.articles.web.article_forms import ArticleChoiceForm
from issuance.records.web.frame import actor_of
from siths_portal.lib.lists import Column, Empty, Kind, List, Source, Tag


def _appearance(line: ArticleLine) -> str:
    return f"{line.orientation}, {_('med foto') if line.photo else _('utan foto')}"


class ArticleList(List[ArticleLine]):
    """The articles that match the filters."""

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
        Column(key="utforande", heading=gettext_lazy("Utförande"), value=_appearance),
        Column(key="generation", heading=gettext_lazy("Generation")),
        Column(
            key="galler",
            heading=gettext_lazy("Gäller"),
            kind=Kind.MOMENT,
            value=lambda line: f"{line.valid_from}–{line.valid_to or ''}",
            sort="valid_from",
        ),
        Column(key="status", heading=gettext_lazy("Status"), kind=Kind.TAG, value=lambda line: Tag(line.tag, line.state_text)),
    )
    caption = gettext_lazy("Katalogen")
    table_id = "artiklar"
    css = "table-close"
    order = "artikel"
    empty = Empty(gettext_lazy("Inga artiklar"), gettext_lazy("Förvaltningen skapar artiklar."))
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
