"""Pages that start, set aside and restart a draft, and remove an order."""

import datetime as dt
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Action, policy
from issuance.orders.domain.drafts import Step
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import draft_answers, drafts, ordering
from issuance.orders.services.drafts import DraftClosed
from issuance.orders.web.page import address, closed
from issuance.orders.web.summary import article_name
from issuance.people.services import disclosures
from issuance.person_page.queries import person_view
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from siths_portal.lib.errors import IllegalTransition
from siths_portal.lib.ids import id_of

_answered = require_http_methods(["GET", "HEAD", "POST"])


@_answered
def start(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Nytt SITHS eID ordinarie kort: continues the clerk's draft, or starts a new one. A GET, as after a login, shows the
    person.
    """
    if request.method != "POST":
        return redirect("person", person_id)
    actor = actor_of(request)
    draft = drafts.get(actor=actor, draft_id=drafts.start(actor=actor, person_id=person_id).pk)
    begun = draft.post is not None
    step = draft_answers.answers(actor=actor, draft=draft).first_unanswered if begun else Step.ORGANISATION
    return redirect(address(step, draft.pk) + ("?fortsatt=1" if begun else ""))


@_answered
def abandon(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Avbryt: needs no confirmation, because the draft is kept for some days."""
    if request.method != "POST":
        return redirect(address(Step.REVIEW, draft_id))
    try:
        draft = drafts.abandon(actor=actor_of(request), draft_id=draft_id)
    except DraftClosed as error:
        return closed(request, error.draft)
    until = timezone.localtime(draft.updated_at + dt.timedelta(days=settings.ORDER_DRAFT_DAYS))
    text = _("Beställningen är avbruten. Ångrar du dig, välj Nytt SITHS eID ordinarie kort: det du valt är sparat till %(day)s.")
    messages.info(request, text % {"day": date_format(until, "j F")})
    return redirect("person", draft.person_id)


@_answered
def restart(request: HttpRequest, draft_id: UUID) -> HttpResponse:
    """Börja om från början."""
    if request.method == "POST":
        try:
            drafts.restart(actor=actor_of(request), draft_id=draft_id)
        except DraftClosed as error:
            return closed(request, error.draft)
    return redirect(address(Step.ORGANISATION, draft_id))


@require_safe
def photo_rules(request: HttpRequest) -> HttpResponse:
    """Fotoregler, with a link back to the order in the URL; the order's page checks its own permission."""
    draft_id = id_of(request.GET.get("bestallning", ""))
    return render_page(
        request, SEARCH, "orders/photo_rules.html", {"back_url": address(Step.PHOTO, draft_id) if draft_id else ""}
    )


@_answered
def cancel(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Ta bort beställning: explains the consequences, and removes the order after confirmation. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    rows = CardOrder.objects.with_card().select_related("article", "organisation")
    order = policy.get(actor, Action.REMOVE_ORDER, rows, order_id)
    person_id = order.carrier.holder_id
    status = 200
    if request.method == "POST" and "bekrafta" in request.POST:
        try:
            ordering.cancel_order(actor=actor, order_id=order_id)
        except IllegalTransition as error:
            status = error.http_status
            order.refresh_from_db()
        else:
            messages.success(request, _("Beställningen är borttagen. Inget kort tillverkas."))
            return redirect("person", person_id)
    if order.state == OrderState.CANCELLED:
        messages.info(request, _("Beställningen är redan borttagen."))
        return redirect("person", person_id)
    head = person_view.person_head(actor=actor, person_id=person_id)
    disclosures.record(actor=actor, person_id=person_id, shown=disclosures.Shown.ORDER, subject=order.pk)
    context = {
        "order": order,
        "removable": order.state == OrderState.QUEUED,
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
