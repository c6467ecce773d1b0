"""Reservkort: the stock of offices, one office's stock, its count and its level."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Action, Actor, policy
from issuance.orders.queries.bundles import ordering_organisations
from issuance.people.services import disclosures
from issuance.records.web.forms import tried
from issuance.records.web.frame import STOCK, Link, actor_of, render_page
from issuance.reserve_cards.domain import RIGHTS
from issuance.reserve_cards.queries import reserve_cards
from issuance.stock.domain import StockState, scanned
from issuance.stock.models import StockCount
from issuance.stock.queries import on_the_way
from issuance.stock.queries import stock as query
from issuance.stock.services import counting
from issuance.stock.web.forms import CardSearchForm, LevelForm, SerialsForm
from issuance.stock.web.frame import stock_page
from issuance.stock.web.lists import AwaitedList, CountList, OfficeStockList, StockCardList
from siths_portal.lib.errors import Invalid
from siths_portal.lib.lists import Shown

_FIND = "sok"

MOST_ORDERING = 10
"""Organisations to choose from for an order of a bundle; the others are found from Administrera."""


@require_safe
@STOCK.requires()
def stock(request: HttpRequest) -> HttpResponseBase:
    """Lists the hand-outs that wait for a second officer, the offices whose stock the user keeps, and the bundles on their way
    to them; leads to the order of a bundle. Raises Forbidden.
    """
    actor = actor_of(request)
    ordering = ordering_organisations(actor=actor, most=MOST_ORDERING + 1)
    found = OfficeStockList(request, query.offices_with_stock(actor=actor), order_url=_order_url(ordering))
    return found.answer(lambda shown: _stock(request, shown, ordering))


def _stock(request: HttpRequest, shown: Shown[query.StockOffice], ordering: list[tuple[UUID, str]]) -> HttpResponse:
    actor = actor_of(request)
    waiting, count = reserve_cards.oldest(actor=actor)
    if waiting:
        disclosures.record_work(actor=actor, what="reserve_cards", person_ids=[row.person_id for row in waiting])
    short = [each.name for each in shown.lines if each.figures.short]
    is_empty = not any(each.figures.in_stock for each in shown.lines)
    acts = _acts(actor, _order_url(ordering))
    lead = _stock_lead(count, short, is_empty=is_empty) if waiting or shown.lines else ""
    if lead and acts[0].allowed:
        lead = " ".join([lead, _("Du lämnar ut ett reservkort från personens sida.")])
    context = {
        "list": shown,
        "waiting": waiting,
        "lead": lead,
        "on_the_way": on_the_way.on_the_way(actor=actor),
        "most_on_the_way": on_the_way.MOST,
        "acts": acts,
        "ordering": ordering[:MOST_ORDERING] if len(ordering) > 1 else [],
        "more_ordering": len(ordering) > MOST_ORDERING,
    }
    return render_page(request, STOCK, "stock/stock.html", context, heading=_("Reservkort"), status=shown.status)


def _order_url(ordering: list[tuple[UUID, str]]) -> str:
    """Returns where a bundle is ordered: for the only organisation, or else at the choice of organisations below; "" for none."""
    if len(ordering) == 1:
        return reverse("bundle_new", args=[ordering[0][0]])
    return "#bestall" if ordering else ""


def _acts(actor: Actor, order_url: str) -> list[Link]:
    """Returns the acts at the top of the page, with the reason if the user cannot do one: to hand out a card, and to order."""
    hands_out = any(policy.holds(actor, right) for right in RIGHTS.values())
    not_by_role = _("Din behörighetsroll tillåter inte att du lämnar ut reservkort.")
    if policy.holds(actor, Action.ORDER_RESERVE_BUNDLE):
        no_order = _("Ingen organisation har en artikel för reservkort.")
    else:
        no_order = _("Ansvarig eller biträdande utgivare beställer buntar.")
    return [
        Link(_("Lämna ut reservkort"), reverse("search"), hands_out, not_by_role),
        Link(_("Beställ bunt"), order_url, bool(order_url), no_order),
    ]


def _stock_lead(waiting: int, short: list[str], *, is_empty: bool) -> str:
    """Returns how things stand: hand-outs that wait, and offices of the page that need cards or, if the page `is_empty`, that no
    card is in stock.
    """
    parts = []
    if waiting:
        text = ngettext("{n} utlämning väntar på en andra person.", "{n} utlämningar väntar på en andra person.", waiting)
        parts.append(text.format(n=waiting))
    if short:
        names = _("{first} och {n} kontor till").format(first=short[0], n=len(short) - 1) if len(short) > 1 else short[0]
        parts.append(_("{names} behöver fler kort.").format(names=names))
    elif not waiting:
        parts.append(_("Inget kort ligger i lager.") if is_empty else _("Inget kontor är under sin gräns."))
    return " ".join(parts)


@require_http_methods(["GET", "HEAD", "POST"])
def office_stock(request: HttpRequest, office_id: UUID) -> HttpResponseBase:
    """Shows an office's stock. A scanned card leads to its page. Raises NotFound, Forbidden."""
    head = query.stock_head(actor=actor_of(request), office_id=office_id)
    form, status = CardSearchForm(request.POST if _FIND in request.POST else None), 200
    if form.is_valid():
        serial = next(iter(scanned(form.cleaned_data["serial"]).lines), "")
        if card_id := query.card_by_serial(office_id=office_id, serial=serial):
            return redirect("stock_card", card_id)
        form.add_error("serial", _("Kortet finns inte i kontorets lager. Kontrollera numret, eller ta emot bunten först."))
        status = Invalid.http_status
    awaited = AwaitedList(request, query.awaited_of(office_id)).shown()
    return StockCardList(request, query.cards_of(office_id=office_id), office=head.name).answer(
        lambda shown: stock_page(
            request,
            "stock/office.html",
            head,
            {"form": form, "list": shown, "awaited": awaited, "figures": _figures(head.figures), "lead": _lead(head.figures)},
            status=status if shown.status == 200 else shown.status,
        )
    )


def _lead(figures: query.StockFigures) -> str:
    if figures.short:
        return _("Lagret är lågt: gränsen är {least} kort. Be ansvarig utgivare att beställa en bunt.").format(
            least=figures.least
        )
    if figures.oldest_soon:
        return _("Lämna ut de äldsta korten först. Det äldsta går ut {day}.").format(day=figures.oldest)
    return _("Lämna ut de kort först som går ut först. De står överst i listan.")


def _figures(figures: query.StockFigures) -> list[dict[str, object]]:
    return [
        {"name": _("I lager"), "value": figures.in_stock},
        {"name": _("På väg"), "value": figures.awaited},
        {"name": _("Saknas"), "value": figures.missing},
        {"name": _("Äldst går ut"), "value": str(figures.oldest or "–")},
    ]


@require_http_methods(["GET", "HEAD", "POST"])
def stock_count(request: HttpRequest, office_id: UUID) -> HttpResponseBase:
    """Räkna lagret: compares the scanned cards with the stock, and lists earlier counts. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = query.stock_head(actor=actor, office_id=office_id)
    form, status = SerialsForm(), 200
    if request.method == "POST":
        form = SerialsForm(request.POST)
        made, status = tried(
            form,
            lambda: counting.count_stock(actor=actor, office_id=office_id, serials=form.cleaned_data["serials"]),
        )
        if made is not None:
            (messages.warning if made.missing else messages.success)(request, _counted(made))
            return redirect("stock_count", office_id)
    found = query.counts_of(actor=actor, office_id=office_id)
    return CountList(request, found, office=head.name).answer(
        lambda shown: stock_page(
            request,
            "stock/count.html",
            head,
            {"form": form, "list": shown, "cancel_url": reverse("office_stock", args=[office_id])},
            step=_("Räkna lagret"),
            status=status,
        )
    )


def _counted(made: StockCount) -> str:
    counted = ngettext("Lagret är räknat: {n} kort fanns.", "Lagret är räknat: {n} kort fanns.", made.found + made.returned)
    parts = [counted.format(n=made.found + made.returned)]
    if made.missing:
        missing = ngettext("{n} kort saknas.", "{n} kort saknas.", made.missing)
        parts.append(missing.format(n=made.missing))
        parts.append(_("Ett kort som är förlorat spärras på sin sida."))
    if made.returned:
        returned = ngettext("{n} kort har kommit till rätta.", "{n} kort har kommit till rätta.", made.returned)
        parts.append(returned.format(n=made.returned))
    text = " ".join(parts)
    if not made.missing:
        return text
    missing_url = f"{reverse('office_stock', args=[made.office_id])}?status={StockState.MISSING}#kort"
    return format_html('{} <a class="ds-link" href="{}">{}</a>', text, missing_url, _("Visa korten som saknas"))


@require_http_methods(["GET", "HEAD", "POST"])
def stock_level(request: HttpRequest, office_id: UUID) -> HttpResponse:
    """Sets the level below which the office is short. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = query.stock_head(actor=actor, office_id=office_id)
    form, status = LevelForm(initial={"least": head.figures.least or None}), 200
    if request.method == "POST":
        form = LevelForm(request.POST)
        _done, status = tried(
            form, lambda: counting.set_level(actor=actor, office_id=office_id, least=form.cleaned_data["least"])
        )
        if status == 200:
            messages.success(request, _("Gränsen för lågt lager är sparad."))
            return redirect("office_stock", office_id)
    context = {"form": form, "submit": _("Spara"), "cancel_url": reverse("office_stock", args=[office_id])}
    return stock_page(request, "stock/level.html", head, context, step=_("Ändra gränsen för lågt lager"), status=status)
