"""Pages of a sent order: what comes next, and its removal."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Action, policy
from issuance.carriers.domain import carrier_states, kinds
from issuance.orders.domain.items import LETTER
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.orders.queries import delivery_times
from issuance.orders.services import draft_steps, ordering
from issuance.orders.web.page import address
from issuance.orders.web.summary import article_name
from issuance.people.services import disclosures
from issuance.person_page.queries import person_view
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from siths_portal.lib.errors import IllegalTransition
from siths_portal.lib.pages.dates import weekday_in_words


@require_safe
def done(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Shows what was ordered and what comes next. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    draft = draft_steps.get(actor=actor, draft_id=draft_id)
    if draft.order_id is None:
        return redirect(address(draft_id))
    rows = CardOrder.objects.with_card().select_related("article", "organisation", "office", "replaced_carrier")
    rows = rows.annotate(working_days=delivery_times.measured())
    order = rows.defer("replaced_carrier__card_key_spki").get(pk=draft.order_id)
    disclosures.record(actor=actor, person_id=draft.person_id, shown=disclosures.Shown.ORDER, subject=order.pk)
    person = draft.person
    context = {
        "order": order,
        "name": f"{person.given_name_in_use} {person.surname}",
        "lead": _next(order, protected=person.is_protected),
        "replaced": _replaced(order),
        "stages": stages(order, _arrival(order, protected=person.is_protected)),
        "rows": [
            {"label": _("Artikel"), "value": article_name(order.article)},
            {"label": _("Organisation"), "value": order.organisation.name},
            {"label": _("Kontor"), "value": order.office.name},
            {"label": _("Beskrivning på faktura"), "value": order.office.invoice_comment},
            {"label": _("Beställd"), "value": date_format(timezone.localtime(order.ordered_at), "Y-m-d H:i")},
            {"label": _("Beställnings-id"), "value": str(order.pk), "code": True},
        ],
        "removable": order.state == OrderState.QUEUED,
        "person_url": f"{reverse('person', args=[draft.person_id])}?barare={order.carrier_id}",
    }
    return render_page(request, SEARCH, "orders/done.html", context)


def _next(order: CardOrder, *, protected: bool) -> str:
    if order.state == OrderState.CANCELLED:
        return _("Beställningen är borttagen. Inget kort tillverkas.")
    if protected:
        return _("Kortet tillverkas och skickas genom Skatteverkets förmedlingsuppdrag.")
    if order.article.registered_mail:
        return _("Kortet tillverkas och skickas som rekommenderat brev till folkbokföringsadressen.")
    return _("Kortet tillverkas och skickas till folkbokföringsadressen.")


def _replaced(order: CardOrder) -> str:
    """Returns what happens to the card that the ordered one replaces, or an empty text."""
    old = order.replaced_carrier
    if old is None or order.state == OrderState.CANCELLED:
        return ""
    if old.state in carrier_states.INVALID:
        text = _("Kortet som slutar på %(last)s är spärrat.")
    else:
        text = _("Kortet som slutar på %(last)s fungerar tills det nya är aktiverat. Då spärras det automatiskt.")
    return text % {"last": old.card_serial[-4:]}


def _arrival(order: CardOrder, *, protected: bool) -> str:
    """Returns the day around which the card arrives, in words; empty if none can be told."""
    day = None if protected else delivery_times.arrival_of(order, order.working_days)  # type: ignore[attr-defined]
    return _("Framme omkring {day}").format(day=weekday_in_words(day)) if day else ""


def stages(order: CardOrder, arrival: str = "") -> list[dict[str, str]]:
    """Returns the errand from the order to the activation, as far as it has come. A card that needs no activation is in use
    once it is sent. `arrival` says when the card arrives.
    """
    made, sent = order.produced_at is not None, order.sent_at is not None
    states = ["done", "done" if made else "now", "done" if sent else ("now" if made else "later")]
    texts = [_("Beställd"), _("Kortet tillverkas"), _("Skickat till innehavaren")]
    if kinds.of_article(order.article.kind).activation:
        states.append("now" if sent else "later")
        texts.append(_("Innehavaren aktiverar kortet hos er"))
    else:
        states.append("done" if sent else "later")
        texts.append(_("Kortet är aktivt. Det aktiveras inte vid besök."))
    notes = ["", "", arrival, ""]
    return [{"state": state, "text": text, "note": note} for state, text, note in zip(states, texts, notes, strict=True)]


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Ta bort beställning: explains the consequences, and removes the order after confirmation. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    rows = CardOrder.objects.with_card().select_related("article", "organisation")
    order = policy.get(actor, Action.REMOVE_ORDER, rows, order_id)
    letter = order.items.filter(kind=LETTER.code).select_related("puk_of").first()
    is_letter = letter is not None
    person_id = (letter.subject_card if letter else order.carrier).holder_id
    status = 200
    if request.method == "POST" and "bekrafta" in request.POST:
        try:
            ordering.cancel_order(actor=actor, order_id=order_id)
        except IllegalTransition as error:
            status = error.http_status
            order.refresh_from_db()
        else:
            messages.success(request, _removed(is_letter=is_letter))
            return redirect("person", person_id)
    if order.state == OrderState.CANCELLED:
        messages.info(request, _("Beställningen är redan borttagen."))
        return redirect("person", person_id)
    head = person_view.person_head(actor=actor, person_id=person_id)
    disclosures.record(actor=actor, person_id=person_id, shown=disclosures.Shown.ORDER, subject=order.pk)
    context = {
        "order": order,
        "removable": order.state == OrderState.QUEUED,
        "is_letter": is_letter,
        "head": head,
        "photo_url": photo_url(head),
        "rows": [
            {"label": _("Artikel"), "value": article_name(order.article)},
            {"label": _("Organisation"), "value": order.organisation.name},
            {"label": _("Beställd"), "value": date_format(timezone.localtime(order.ordered_at), "Y-m-d H:i")},
        ],
        "person_url": reverse("person", args=[person_id]),
    }
    return render_page(request, SEARCH, "orders/cancel.html", context, status=status)


def _removed(*, is_letter: bool) -> str:
    if is_letter:
        return _("Beställningen är borttagen. Inget brev skickas.")
    return _("Beställningen är borttagen. Inget kort tillverkas.")
