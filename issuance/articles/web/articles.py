"""Administrera artiklar: the catalogue, and the articles that an organisation may order (rules/issuance 7.7)."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from issuance.administration.queries import readiness
from issuance.articles.ports import ArticlePrices
from issuance.articles.queries import articles
from issuance.articles.queries.articles import ArticleFacts
from issuance.articles.services.articles import choose_articles, copy_articles, edit_article, register_article
from issuance.articles.web.article_forms import MADE, NUMBERED, ArticleForm
from issuance.articles.web.lists import ArticleChoiceList, ArticleList
from issuance.authz import Action, policy
from issuance.organisations.queries import places
from issuance.organisations.queries.places import Above, OrganisationHead
from issuance.records.web.editing import initial, submitted_form
from issuance.records.web.frame import ADMINISTRATION, Crumb, Link, actor_of, demand, object_page, object_tabs, render_page
from issuance.records.web.history import TEMPLATE as HISTORY
from issuance.records.web.history import HistoryList
from issuance.records.web.places import demand_there, organisation_page
from issuance.records.web.values import row
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Invalid

_FORM = "components/form.html"


@require_safe
@ADMINISTRATION.requires()
def catalogue(request: HttpRequest) -> HttpResponse:
    """Lists the articles that match the filters. Raises Forbidden."""
    actor, shown = actor_of(request), ArticleList(request).shown()
    may_add = policy.holds(actor, Action.CREATE_ORGANISATION)
    return render_page(
        request,
        ADMINISTRATION,
        "articles/articles.html",
        {"form": shown.form, "list": shown},
        heading=_("Artiklar"),
        crumbs=[Crumb(_("Artiklar"))],
        configuration=[Link(_("Skapa artikel"), reverse("article_new"))] if may_add else [],
        status=shown.status,
    )


@require_safe
@ADMINISTRATION.requires()
def article(request: HttpRequest, code: str) -> HttpResponse:
    """Shows one article of the catalogue. Raises Forbidden, NotFound."""
    found = articles.article(actor=actor_of(request), code=code)
    context = {
        "facts": list(_facts(found)),
        "found": found,
        "edit_url": reverse("article_edit", args=[code]) if found.may_edit else "",
    }
    return _page(request, "articles/article.html", found, context, here="article")


def _facts(found: ArticleFacts) -> Iterator[dict[str, Any]]:
    line = found.line
    yield row(_("Artikelnummer"), found.number)
    yield row(_("Namn"), found.name)
    yield row(_("Slag"), line.kind)
    yield from _made(found)
    yield row(_("Leverans"), _("REK") if found.registered_mail else _("Ordinarie"))
    yield row(_("Produktgeneration"), found.generation)
    lasting = _("{first} till {last}") if found.valid_to else _("från {first}, tills vidare")
    yield row(_("Gäller"), lasting.format(first=found.valid_from, last=found.valid_to))
    used = ngettext("{count} organisation", "{count} organisationer", found.orderable_in).format(count=found.orderable_in)
    yield row(_("Beställningsbar för"), used)
    yield row(_("Pris i bruttolistan"), _price(line.code))


def _price(code: str) -> str:
    """Returns the article's price today without VAT, in words."""
    price = ports.get(ArticlePrices).prices(None, [code]).get(code)
    if price is None:
        return _("Saknas")
    return _("{price} kr exklusive moms").format(price=number_format(price, 2, force_grouping=True))


def _made(found: ArticleFacts) -> Iterator[dict[str, Any]]:
    yield row(_("Utförande"), found.line.orientation)
    yield row(_("Foto på kortet"), _("Ja") if found.photo else _("Nej"))
    yield row(_("Tillitsnivå"), str(found.assurance_level))


def _page(
    request: HttpRequest,
    template: str,
    found: ArticleFacts,
    context: dict[str, Any],
    *,
    here: str = "",
    step: str = "",
    status: int = 200,
) -> HttpResponse:
    code, title = found.line.code, found.line.title
    names = (("article", _("Uppgifter")), ("article_history", _("Historik")))
    return object_page(
        request,
        ADMINISTRATION,
        template,
        context,
        name=title,
        kind=_("Artikel"),
        step_kind=title,
        way=[Crumb(_("Artiklar"), reverse("articles")), Crumb(title, reverse("article", args=[code]))],
        step=step,
        tabs=object_tabs(names, code, here),
        status=status,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def article_new(request: HttpRequest) -> HttpResponse:
    """Adds an article to the catalogue. Raises Forbidden."""
    actor = actor_of(request)
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    form, made, status = submitted_form(
        request,
        ArticleForm,
        lambda given: register_article(actor=actor, article=given["article"]),
        first=lambda: {"valid_from": clock.today(), "assurance_level": "3", "registered_mail": "no"},
    )
    if made is not None:
        messages.success(request, _("Artikeln är skapad. Den kan beställas när den är vald för en organisation."))
        return redirect("article", made.code)
    crumbs = [Crumb(_("Artiklar"), reverse("articles")), Crumb(_("Skapa artikel"))]
    context = {"form": form, "submit": _("Skapa artikeln"), "cancel_url": reverse("articles")}
    return render_page(request, ADMINISTRATION, _FORM, context, heading=_("Skapa artikel"), crumbs=crumbs, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def article_edit(request: HttpRequest, code: str) -> HttpResponse:
    """Edits an article. Raises Forbidden, NotFound."""
    actor = actor_of(request)
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    found = articles.article(actor=actor, code=code)
    fixed = {name: getattr(found, name) for name in (*NUMBERED, *(MADE if found.ordered else ()))}
    form, made, status = submitted_form(
        request,
        partial(ArticleForm, fixed=fixed),
        lambda given: edit_article(actor=actor, code=code, version=given["version"], article=given["article"]),
        first=lambda: initial(ArticleForm, found),
    )
    if made is not None:
        messages.success(request, _("Artikeln är sparad."))
        return redirect("article", code)
    context = {"form": form, "submit": _("Spara"), "cancel_url": reverse("article", args=[code]), "lead": _restriction(found)}
    return _page(request, _FORM, found, context, step=_("Redigera artikeln"), status=status)


def _restriction(found: ArticleFacts) -> str:
    """Returns why parts of an article cannot change, because of its orders or of the organisations that may order it."""
    if found.ordered:
        return _(
            "Artikeln har beställts. Slag, utförande, foto och tillitsnivå ligger därför fast, och den första dagen kan inte "
            "flyttas framåt. Skapa en ny artikel i stället."
        )
    if not found.orderable_in:
        return ""
    chosen = ngettext(
        "Artikeln är beställningsbar för {count} organisation. Får den en senare första dag kan den inte beställas förrän då.",
        "Artikeln är beställningsbar för {count} organisationer. Får den en senare första dag kan den inte beställas förrän då.",
        found.orderable_in,
    )
    return chosen.format(count=found.orderable_in)


@require_safe
@ADMINISTRATION.requires()
def article_history(request: HttpRequest, code: str) -> HttpResponseBase:
    """Shows the history of an article. Raises Forbidden, NotFound."""
    found = articles.article(actor=actor_of(request), code=code)
    return HistoryList(request, "article", code).page(
        lambda context, status: _page(request, HISTORY, found, context, here="article_history", status=status)
    )


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_articles(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Chooses the articles that an organisation may order. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand_there(head, Action.CHOOSE_ARTICLES in head.rights)
    refusal, status = "", 200
    parent = head.above[-1] if head.above and head.above[-1].seen else None
    if "samma" in request.POST:
        demand(parent is not None)
        return _copy_from_parent(request, head, cast(Above, parent))
    lines = articles.offered(actor=actor, organisation_id=organisation_id)
    shown = [line.article.code for line in lines if line.orderable]
    if request.method == "POST":
        shown, picked = request.POST.getlist("shown"), request.POST.getlist("article")
        try:
            changes = choose_articles(actor=actor, organisation_id=organisation_id, shown=shown, picked=picked)
        except Invalid as error:
            refusal, status = error.message, error.http_status
            lines = tuple(replace(line, orderable=line.article.code in picked) for line in lines)
        else:
            _tell(request, changes, orders=readiness.has_articles(organisation_id))
            return redirect("organisation_articles", organisation_id)
    context = {
        "list": ArticleChoiceList.offered(request, lines).shown(),
        "shown": shown,
        "refusal": refusal,
        "parent": parent,
        "cancel_url": reverse("organisation", args=[organisation_id]),
    }
    template, step = "articles/organisation_articles.html", _("Administrera artiklar")
    return organisation_page(request, template, head, context, here="organisation", step=step, status=status)


def _tell(request: HttpRequest, changes: int, *, orders: bool) -> None:
    """Says what became of the choice of articles; `orders` is False if the organisation can order no card now."""
    text = _("Beställningsbara artiklar är sparade.") if changes else _("Inget ändrades.")
    if not orders:
        messages.warning(request, f"{text} {_('Ingen vald artikel säljs nu, så inga kort kan beställas i organisationen.')}")
    elif changes:
        messages.success(request, text)
    else:
        messages.info(request, f"{text} {_('Samma artiklar var redan valda.')}")


def _copy_from_parent(request: HttpRequest, head: OrganisationHead, parent: Above) -> HttpResponse:
    """Adds the articles of the organisation above."""
    added = copy_articles(actor=actor_of(request), from_id=parent.id, to_id=head.id)
    if added:
        text = ngettext("{count} artikel är tillagd.", "{count} artiklar är tillagda.", added)
        messages.success(request, text.format(count=added))
    else:
        text = _("Inget ändrades. {name} har redan alla artiklar som {above} kan beställa.")
        messages.info(request, text.format(name=head.name, above=parent.name))
    return redirect("organisation_articles", head.id)
