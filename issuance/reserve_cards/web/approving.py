"""Reserve cards that wait for a second officer: the queue, and the check that the second officer makes."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Action
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.records.web import handles
from issuance.records.web.forms import DONE, tried
from issuance.records.web.frame import STOCK, Crumb, actor_of, render_page
from issuance.records.web.persons import photo_url
from issuance.reserve_cards.queries import reserve_cards as query
from issuance.reserve_cards.services import approving
from issuance.reserve_cards.web.forms import ApprovalForm, RejectionForm
from issuance.reserve_cards.web.lists import WaitingList
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

_REJECT = "neka"
"""The button that rejects."""


@require_safe
@STOCK.requires(Action.APPROVE_RESERVE_CARD)
def waiting(request: HttpRequest) -> HttpResponseBase:
    """Lists what waits for a second officer, and says why the user cannot be it. Raises Forbidden."""
    heading = _("Väntar på en andra person")
    return WaitingList(request).answer(
        lambda shown: render_page(
            request,
            STOCK,
            "reserve_cards/waiting.html",
            {"list": shown},
            heading=heading,
            crumbs=[Crumb(heading)],
            status=shown.status,
        )
    )


@require_http_methods(["GET", "HEAD", "POST"])
def approve(request: HttpRequest, issue_id: UUID) -> HttpResponse:
    """The second officer's own check, which ends with a signature by their own card. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    approving.waiting_issue(actor=actor, issue_id=issue_id)
    if request.method != "POST":
        return _shown(request, issue_id, ApprovalForm(), RejectionForm())
    if _REJECT in request.POST:
        return _reject(request, issue_id)
    form, other = ApprovalForm(request.POST), RejectionForm(initial=request.POST.dict())
    if not form.is_valid():
        return _shown(request, issue_id, form, other, status=Invalid.http_status)
    try:
        opened = approving.approve(actor=actor, issue_id=issue_id, **form.cleaned_data)
    except Invalid as error:
        form.take(error)
        return _shown(request, issue_id, form, other, status=error.http_status)
    except Conflict as error:
        return _shown(request, issue_id, form, other, status=error.http_status, refusal=error.message)
    handles.keep(request, opened)
    return redirect("reserve_card_statement", opened.transaction.pk)


def _reject(request: HttpRequest, issue_id: UUID) -> HttpResponse:
    form = RejectionForm(request.POST)
    _issue, status = tried(
        form, lambda: approving.reject(actor=actor_of(request), issue_id=issue_id, reason=form.cleaned_data["reason"])
    )
    if status != DONE:
        return _shown(request, issue_id, ApprovalForm(initial=request.POST.dict()), form, status=status)
    messages.success(request, _("Utlämningen är avvisad. Kortet ligger kvar i lagret."))
    return redirect("reserve_cards_waiting")


def _stages(page: query.ApprovalPage) -> list[dict[str, str]]:
    """Returns the two officers and the holder as stages: what each did or has to do."""
    since = page.issue.waiting_since or page.issue.created_at
    first = _("Identifierade personen kl. {at} och skrev under. Handling: {document}.")
    at = f"{since.astimezone(clock.STOCKHOLM):%H:%M}"
    return [
        {"state": "done", "text": page.officer, "note": first.format(at=at, document=page.document)},
        {"state": "now", "text": _("Du"), "note": _("Kontrollerar person, handling och kuvert.")},
        {"state": "later", "text": page.head.given_name_in_use, "note": _("Aktiverar kortet.")},
    ]


def _shown(
    request: HttpRequest,
    issue_id: UUID,
    form: ApprovalForm,
    rejection: RejectionForm,
    *,
    status: int = 200,
    refusal: str = "",
) -> HttpResponse:
    page = query.approval_page(actor=actor_of(request), issue_id=issue_id)
    disclosures.record(actor=actor_of(request), person_id=page.head.id, shown=Shown.PERSON, subject=page.issue.carrier_id)
    queue = reverse("reserve_cards_waiting")
    context = {
        "page": page,
        "form": rejection if rejection.errors else form,
        "check": form,
        "rejection": rejection,
        "refusal": refusal,
        "photo_url": photo_url(page.head),
        "queue_url": queue,
        "stages": _stages(page),
    }
    heading = _("Du är andra person för {name}").format(name=page.head.name)
    crumbs = [Crumb(_("Väntar på en andra person"), queue), Crumb(heading)]
    return render_page(request, STOCK, "reserve_cards/approve.html", context, heading=heading, crumbs=crumbs, status=status)
