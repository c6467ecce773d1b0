"""Begärda roller: requests for global roles, the second person's decision, and withdrawing one's own request (ADR 0296)."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from issuance.authz import Action, Role, policy
from issuance.operators.queries.pki_words import minute
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.records.web.frame import ADMINISTRATION, Crumb, Link, actor_of, recent_login, render_page
from issuance.records.web.values import row
from issuance.roles.queries import role_requests as query
from issuance.roles.queries import role_words
from issuance.roles.queries.role_requests import RequestView
from issuance.roles.services import role_requests
from issuance.roles.web.lists import RoleRequestList
from issuance.roles.web.role_frame import kept
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.lists import Lines
from siths_portal.lib.pages.error_pages import leads_back
from siths_portal.lib.pages.forms import Form


class RoleDecisionForm(Form):
    """A second person's decision on a requested role."""

    decision = forms.ChoiceField(
        label=gettext_lazy("Ditt beslut"),
        choices=[("approve", gettext_lazy("Godkänn, så får personen rollen")), ("reject", gettext_lazy("Avslå"))],
        widget=forms.RadioSelect,
        error_messages={
            "required": gettext_lazy("Välj om du godkänner eller avslår."),
            "invalid_choice": gettext_lazy("Välj om du godkänner eller avslår."),
        },
    )
    reason = forms.CharField(
        label=gettext_lazy("Motivering"),
        help_text=gettext_lazy("Krävs när du avslår. Skriv inga personuppgifter."),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@require_safe
def requests(request: HttpRequest) -> HttpResponse:
    """Lists open and closed requests. Raises Forbidden."""
    actor = actor_of(request)
    closed = RoleRequestList(request, query.closed(actor=actor), table_id="avslutade").shown()
    waiting = None
    if not closed.first_url:
        waiting = RoleRequestList(request, Lines(query.waiting(actor=actor)), table_id="vantar").shown()
    context = {"waiting": waiting, "closed": closed}
    return render_page(
        request,
        ADMINISTRATION,
        "roles/requests.html",
        context,
        heading=_("Begärda roller"),
        crumbs=[Crumb(_("Begärda roller"))],
        functions=[Link(_("Rollinnehavare"), reverse("role_holders"))],
    )


@require_http_methods(["GET", "HEAD", "POST"])
def role_request(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Shows a request, with the decision form for those who may decide; POST records the decision.

    Raises NotFound, Forbidden, Conflict.
    """
    found = query.one(actor=actor_of(request), request_id=request_id)
    if request.method != "POST":
        form = None if found.refusal else RoleDecisionForm(initial=kept(request))
        return _shown(request, found, form)
    if step_up := recent_login(request):
        return step_up
    form = RoleDecisionForm(request.POST)
    if not form.is_valid():
        return _shown(request, found, form, status=Invalid.http_status)
    approve = form.cleaned_data["decision"] == "approve"
    try:
        role_requests.decide(actor=actor_of(request), request_id=request_id, approve=approve, reason=form.cleaned_data["reason"])
    except (Conflict, Invalid) as error:
        form.take(error)
        return _shown(request, query.one(actor=actor_of(request), request_id=request_id), form, status=error.http_status)
    facts = {"name": found.person, "role": found.role, "day": found.first_day}
    text = _("Begäran om rollen {role} för {name} är avslagen.")
    if approve:
        later = found.first_day is not None and found.first_day > clock.today()
        text = _("{name} får rollen {role} från och med {day}.") if later else _("{name} har fått rollen {role}.")
    messages.success(request, text.format(**facts))
    return redirect("role_requests")


@require_http_methods(["GET", "HEAD", "POST"])
def role_request_withdraw(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Withdraws the user's own request; GET redirects to the request. Raises NotFound, Forbidden, Conflict."""
    found = query.one(actor=actor_of(request), request_id=request_id)
    leads_back(request, reverse("role_request", args=[request_id]), _("Till begäran"))
    if request.method == "POST":
        role_requests.withdraw(actor=actor_of(request), request_id=request_id)
        messages.success(request, _("Begäran om rollen {role} är återtagen.").format(role=found.role))
    return redirect("role_request", request_id)


def _shown(request: HttpRequest, found: RequestView, form: RoleDecisionForm | None, *, status: int = 200) -> HttpResponse:
    actor = actor_of(request)
    disclosures.record(actor=actor, person_id=found.person_id, shown=Shown.PERSON)
    context = {
        "found": found,
        "form": form,
        "rows": list(_rows(found)),
        "rights": role_words.table([Role(found.role_code)]),
    }
    own = policy.is_own_matter(actor, Action.ASSIGN_ROLE, found.person_id)
    functions = [] if own else [Link(_("Personens roller"), reverse("person_roles", args=[found.person_id]))]
    return render_page(
        request,
        ADMINISTRATION,
        "roles/request.html",
        context,
        heading=_("Begärd roll"),
        crumbs=[Crumb(_("Begärda roller"), reverse("role_requests")), Crumb(_("Begärd roll"))],
        functions=functions,
        status=status,
    )


def _rows(found: RequestView) -> Iterator[dict[str, Any]]:
    yield row(_("Person"), found.person)
    yield row(_("Behörighetsroll"), found.role)
    yield row(_("Omfång"), _("Hela portalen"))
    yield row(_("Sekretess"), _("Ja") if found.protected_persons else _("Nej"))
    yield row(_("Gäller från och med"), found.first_day.isoformat() if found.first_day else _("när begäran godkänns"))
    yield row(_("Gäller till och med"), found.last_day.isoformat() if found.last_day else _("tills vidare"))
    yield row(_("Skäl"), found.reason)
    yield row(_("Begärd av"), found.requester)
    yield row(_("Begärd"), minute(found.created_at))
    if found.is_open:
        yield row(_("Beslutas senast"), minute(found.expires_at))
    if found.decided_by:
        yield row(_("Beslutad av"), found.decided_by)
        yield row(_("Beslutets motivering"), found.decision_reason)
    if found.closed_at:
        yield row(_("Avslutad"), minute(found.closed_at))
