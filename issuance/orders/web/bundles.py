"""Pages of bundles of reserve cards: Beställa bunt reservkort, an organisation's bundles, and the withdrawal of one."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Action, Actor
from issuance.orders.domain.order_states import OrderState
from issuance.orders.ports import InvoiceLines
from issuance.orders.queries import bundles as query
from issuance.orders.services import bundles, ordering
from issuance.orders.services.bundles import OrderableBundle
from issuance.orders.web.bundle_forms import BundleForm, BundleList, address_of, state_of
from issuance.orders.web.choices import kronor
from issuance.organisations.queries import places
from issuance.organisations.queries.places import OrganisationHead
from issuance.people.queries import officers
from issuance.records.queries import words
from issuance.records.web.forms import DONE, tried
from issuance.records.web.frame import actor_of, demand
from issuance.records.web.places import demand_there, organisation_page
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import IllegalTransition, Invalid

_TAB = "organisation_bundles"
_CHANGE, _CONFIRM = "valj", "bekrafta"
"""Buttons of the preview: back to the form, and order."""
_OFFICE = "kontor"
"""The query parameter with the id of the office that the form proposes."""


@require_safe
def organisation_bundles(request: HttpRequest, organisation_id: UUID) -> HttpResponseBase:
    """Reservkort: the bundles of an organisation. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    found = query.bundles_of(actor=actor, organisation_id=organisation_id)
    return BundleList(request, found, organisation=head.name).answer(
        lambda shown: organisation_page(request, "orders/bundles.html", head, {"list": shown}, here=_TAB)
    )


def may_order(head: OrganisationHead) -> bool:
    """True if the actor may order bundles for the organisation, which is not closed."""
    return Action.ORDER_RESERVE_BUNDLE in head.rights and not head.ended


@require_http_methods(["GET", "HEAD", "POST"])
def bundle_new(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Beställa bunt reservkort: the form, then the preview, then the order. Raises NotFound, Forbidden, Conflict."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand_there(head, may_order(head))
    found = query.choices(actor=actor, organisation_id=organisation_id)
    if request.method != "POST" or _CHANGE in request.POST:
        typed = {name: request.POST.get(name) for name in BundleForm.base_fields if name in request.POST}
        proposed = {"office": request.GET[_OFFICE]} if _OFFICE in request.GET else {}
        return _form_page(request, head, found, BundleForm(initial={**proposed, **typed}, choices=found))
    form = BundleForm(request.POST, choices=found)
    if not (found.articles and found.offices):
        form.refuse(_("Inget är beställt. Nu finns inget att beställa, eller inget kontor som kan ta emot en bunt."))
        return _form_page(request, head, found, form, status=Invalid.http_status)
    if _CONFIRM in request.POST:
        order, status = tried(
            form,
            lambda: bundles.order_bundle(
                actor=actor, bundle=form.bundle(organisation_id), idempotency_key=str(form.cleaned_data["key"] or "")
            ),
        )
        if order is not None:
            messages.success(request, _("Bunten är beställd. Kortleverantören hämtar beställningen."))
            return redirect("bundle", order.pk)
        return _form_page(request, head, found, form, status=status)
    named, status = tried(form, lambda: bundles.orderable(actor=actor, bundle=form.bundle(organisation_id)))
    if named is None or status != DONE:
        return _form_page(request, head, found, form, status=status)
    return _preview(request, head, found, form, named)


def _form_page(
    request: HttpRequest, head: OrganisationHead, found: query.BundleChoices, form: BundleForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "found": found,
        "articles_url": reverse("organisation_articles", args=[head.id]) if Action.CHOOSE_ARTICLES in head.rights else "",
        "offices_url": reverse("organisation_offices", args=[head.id]) if Action.LINK_OFFICE in head.rights else "",
        "cancel_url": reverse(_TAB, args=[head.id]),
        "lead": _("Korten har det generella utseendet och inget namn. De skickas till ett kontor, som lämnar ut dem."),
    }
    step = _("Beställa bunt reservkort")
    return organisation_page(request, "orders/bundle_new.html", head, context, here=_TAB, step=step, status=status)


def _preview(
    request: HttpRequest, head: OrganisationHead, found: query.BundleChoices, form: BundleForm, named: OrderableBundle
) -> HttpResponse:
    quantity, price = form.cleaned_data["quantity"], found.prices.get(named.article.code)
    rows: list[dict[str, Any]] = [
        {"label": _("Artikel"), "value": words.article(named.article.number, named.article.title)},
        {"label": _("Tillitsnivå"), "value": named.article.assurance_level},
        {"label": _("Antal kort"), "value": number_format(quantity, force_grouping=True)},
        {"label": _("Skickas till"), "value": f"{named.office.name}: {address_of(named.office)}"},
        {"label": _("Skickas senast"), "value": str(bundles.last_day_sent(clock.today()))},
        {"label": _("Beskrivning på faktura"), "value": named.office.invoice_comment},
        {"label": _("Pris för ett kort"), "value": _without_vat(kronor(price))},
        {"label": _("Pris för bunten"), "value": _without_vat(kronor(price * quantity if price is not None else None))},
    ]
    context = {
        "form": form,
        "rows": rows,
        "quantity": quantity,
        "cancel_url": reverse(_TAB, args=[head.id]),
        "lead": _("Kontrollera beställningen. Inget är beställt än."),
    }
    return organisation_page(request, "orders/bundle_preview.html", head, context, here=_TAB, step=_("Förhandsgranska bunten"))


def _without_vat(price: str) -> str:
    return _("{price} utan moms").format(price=price) if price else _("Priset är inte bestämt än")


@require_safe
def bundle(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Shows a bundle: what was ordered, how far it has come, and what comes next. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    line = query.bundle(actor=actor, order_id=order_id)
    head = places.organisation_head(actor=actor, organisation_id=line.organisation_id)
    context = {
        "line": line,
        "tag": state_of(line),
        "rows": _facts(line) + _origin(actor, line),
        "stages": query.stages(line),
        "may_withdraw": Action.ORDER_RESERVE_BUNDLE in head.rights and line.removable,
        "back_url": reverse(_TAB, args=[head.id]),
    }
    return organisation_page(request, "orders/bundle.html", head, context, here=_TAB, step=_title(line))


def _title(line: query.BundleLine) -> str:
    text = ngettext("Bunt med {n} reservkort", "Bunt med {n} reservkort", line.quantity)
    return text.format(n=number_format(line.quantity, force_grouping=True))


def _facts(line: query.BundleLine) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"label": _("Artikel"), "value": line.article},
        {"label": _("Antal kort"), "value": number_format(line.quantity, force_grouping=True)},
        {"label": _("Kontor"), "value": line.office},
        {"label": _("Beställd"), "value": str(line.ordered_on)},
        {"label": _("Skickas senast"), "value": str(line.last_day)},
        {"label": _("Beställnings-id"), "value": str(line.id), "copy": True},
    ]
    if line.failed:
        rows.insert(2, {"label": _("Kort som inte gick att tillverka"), "value": number_format(line.failed)})
    return rows


def _origin(actor: Actor, line: query.BundleLine) -> list[dict[str, Any]]:
    """Returns who ordered the bundle, the line that it is invoiced on, and the invoices of it that the actor may read."""
    lines = ports.get(InvoiceLines)
    who = officers.names(actor, [line.ordered_by_ref]).get(line.ordered_by_ref, _("Portalen"))
    issued = lines.issued(actor, line.id)
    rows: list[dict[str, Any]] = [{"label": _("Beställd av"), "value": who}]
    if not issued:
        rows.append({"label": _("Rad på fakturan"), "value": lines.to_come(line.invoiced_as).text})
    rows += [
        {
            "label": _("Rad på faktura {number}").format(number=each.number),
            "value": each.text,
            "url": each.url,
            "action": _("Visa raden"),
        }
        for each in issued
    ]
    return rows


@require_http_methods(["GET", "HEAD", "POST"])
def bundle_withdraw(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Removes a bundle that no supplier has accepted, after a confirmation. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    line = query.bundle(actor=actor, order_id=order_id)
    head = places.organisation_head(actor=actor, organisation_id=line.organisation_id)
    demand(Action.ORDER_RESERVE_BUNDLE in head.rights)
    status = 200
    if request.method == "POST" and line.state != OrderState.CANCELLED:
        try:
            ordering.cancel_order(actor=actor, order_id=order_id)
        except IllegalTransition as error:
            status = error.http_status
            line = query.bundle(actor=actor, order_id=order_id)
        else:
            messages.success(request, _("Beställningen är borttagen. Inga kort tillverkas."))
            return redirect("bundle", order_id)
    elif line.state == OrderState.CANCELLED:
        messages.info(request, _("Beställningen är redan borttagen."))
        return redirect("bundle", order_id)
    context = {"line": line, "rows": _facts(line), "back_url": reverse("bundle", args=[order_id])}
    step = _("Ta bort beställningen av bunten")
    return organisation_page(request, "orders/bundle_withdraw.html", head, context, here=_TAB, step=step, status=status)
