"""The list of prices, for all articles or one."""

from collections.abc import Sequence
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from billing.price_changes.queries import prices
from billing.price_changes.queries.prices import PriceRow, Standing
from billing.price_changes.web.forms import GROSS_LIST, PricesForm
from billing.records.web.columns import amount_column
from issuance.authz import Actor
from siths_portal.lib.lists import Column, Empty, Kind, Lines, List, Source, Tag

_TAGS = {Standing.NOW: "active", Standing.COMING: "due", Standing.PAST: "expired", Standing.WITHDRAWN: "cancelled"}


def _url(row: PriceRow) -> str:
    return reverse("price", args=[row.article_code])


class PriceList(List[PriceRow]):
    """The prices of all articles that hold now or will, unless the filter asks for others."""

    counted_as = ngettext_lazy("{n} pris", "{n} priser")
    columns = (
        Column(key="artikel", heading=_("Artikel"), value="article", sort=("article", "owner"), css="name", link=_url),
        Column(key="lista", heading=_("Prislista"), value="owner", sort=("owner", "article")),
        amount_column("pris", _("Pris exkl. moms"), "unit_price", sort="unit_price"),
        amount_column("moms", _("Moms %"), "vat_rate"),
        Column(key="fran", heading=_("Från och med"), kind=Kind.DAY, value="valid_from", sort="valid_from"),
        Column(key="till", heading=_("Till och med"), kind=Kind.DAY, value="last_day"),
        Column(key="status", heading=_("Status"), kind=Kind.TAG, value=lambda row: Tag(_TAGS[row.standing], row.standing_text)),
    )
    caption = _("Priser i svenska kronor exklusive moms")
    caption_hidden = True
    table_id = "priser"
    css = "amounts"
    files = ("csv", "xlsx")
    file_name = _("priser")
    empty = Empty(_("Inga priser än"), _("Utan pris kan artikeln inte faktureras."))
    no_match = Empty(_("Inga träffar"), _("Välj en annan prislista, artikel eller status."))

    def __init__(self, request: HttpRequest, actor: Actor) -> None:
        """Raises Forbidden."""
        super().__init__(request)
        self.every = prices.rows(actor)
        owners: dict[UUID, str] = {row.party_id: row.owner for row in self.every if row.party_id}
        articles = {row.article_code: row.article for row in self.every}
        self.filter_form = PricesForm(request.GET, owners, articles)

    def form(self) -> PricesForm:
        """See `List`."""
        return self.filter_form

    def rows(self) -> Source[PriceRow]:
        """See `List`."""
        chosen = self.filter_form.cleaned_data
        standing, owner, article = (chosen.get(name, "") for name in ("status", "lista", "artikel"))
        usual = (Standing.NOW, Standing.COMING)
        found = [
            row
            for row in self.every
            if (standing == "alla" or row.standing == standing or (not standing and row.standing in usual))
            and (not owner or owner == (str(row.party_id) if row.party_id else GROSS_LIST))
            and article in ("", row.article_code)
        ]
        return Lines(found, paged=True)


class ArticlePriceList(List[PriceRow]):
    """All prices of one article, the gross list first and the newest of each list first."""

    counted_as = ngettext_lazy("{n} pris", "{n} priser")
    columns = tuple(column for column in PriceList.columns if column.key != "artikel")
    caption = _("Artikelns priser i svenska kronor exklusive moms")
    caption_hidden = True
    table_id = "artikelpriser"
    css = "amounts"
    empty = Empty(_("Inget pris än"), _("Utan pris kan artikeln inte faktureras."))

    def __init__(self, request: HttpRequest, found: Sequence[PriceRow]) -> None:
        super().__init__(request)
        self.found = found

    def rows(self) -> Source[PriceRow]:
        """See `List`."""
        return Lines(self.found, paged=True)
