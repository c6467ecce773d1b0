"""Pages by which a CA gets another state: asked for with its consequences in view, and carried out once it is approved."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from authn.web import kept_form, require_recent_login
from issuance.authz import Action
from issuance.operators.queries import pki_consequences, pki_words
from issuance.operators.services import pki_operations
from issuance.operators.web.approvals import matter_context, matter_head
from issuance.operators.web.forms import CaStateForm
from issuance.operators.web.section import AT_ONCE, PKI
from issuance.records.queries import words
from issuance.records.web.forms import tried
from issuance.records.web.frame import actor_of, render_page
from pki import service as pki
from siths_portal.lib.errors import Conflict, NotFound

FIELDS = ("state", "justification")


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.CHANGE_CA_STATE)
def ca_state(request: HttpRequest, slug: str, generation: int) -> HttpResponse:
    """The states that the CA may have, each with its consequences; when posted, the matter. Raises NotFound."""
    found, matter = pki.authority_record(slug, generation), pki.ca_state_matter(slug, generation)
    if why_not := obstacle(found):
        status = Conflict.http_status if request.method == "POST" else 200
        return _page(request, found, None, status=status, more={"why_not": why_not, "matter": matter})
    if step_up := require_recent_login(request, AT_ONCE):
        return step_up
    if request.method != "POST":
        typed = kept_form(request)
        initial = {name: typed[name] for name in FIELDS if name in typed} if typed else {}
        return _page(request, found, CaStateForm(found.line.state, initial=initial))
    form = CaStateForm(found.line.state, request.POST)
    asked, status = tried(
        form,
        lambda: pki_operations.ask_for_ca_state(
            actor=actor_of(request),
            slug=slug,
            generation=generation,
            target=form.cleaned_data["state"],
            justification=form.cleaned_data["justification"],
        ),
    )
    if asked is not None:
        others = pki.APPROVALS_REQUIRED[pki.ApprovalAction.CA_STATE]
        told = ngettext(
            "Ändringen är begärd. En annan person ska godkänna den.",
            "Ändringen är begärd. {n} andra personer ska godkänna den.",
            others,
        )
        messages.success(request, told.format(n=others))
        return redirect("pki_approval", asked)
    return _page(request, found, form, status=status)


def obstacle(found: pki.AuthorityRecord) -> str:
    """Why no other state can be asked for now; empty if one can."""
    stays = pki_words.CA_STATE_STAYS.get(found.line.state)
    return _(stays) if stays else found.state_obstacle


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.CHANGE_CA_STATE)
def carry_out(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Asks whether the approved change is to be made now; when posted, makes it. Raises NotFound for other matters."""
    matter = pki.approval(request_id)
    if matter.action != pki.ApprovalAction.CA_STATE:
        raise NotFound("approval-unknown", "Ärendet finns inte.")
    if matter.state != pki.ApprovalState.APPROVED:
        status = Conflict.http_status if request.method == "POST" else 200
        return render_page(
            request, PKI, "operators/approval.html", matter_context(request, matter), here="approvals", status=status
        )
    if step_up := require_recent_login(request, AT_ONCE):
        return step_up
    if request.method == "POST":
        try:
            slug, generation = pki_operations.carry_out_ca_state(actor=actor_of(request), request_id=request_id)
        except Conflict as error:
            messages.error(request, error.message)
            return redirect("pki_approval", request_id)
        messages.success(request, _("Utfärdarens tillstånd är ändrat."))
        return redirect("pki_authority", slug, generation)
    context = matter_head(matter) | {
        "consequences": pki_consequences.of_matter(matter),
        "final": pki.ca_state_is_final(matter.document["to"]),
    }
    return render_page(request, PKI, "operators/carry_out.html", context, here="approvals")


def _page(
    request: HttpRequest,
    found: pki.AuthorityRecord,
    form: CaStateForm | None,
    *,
    status: int = 200,
    more: Mapping[str, Any] | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {
        "found": found,
        "state": pki_words.tagged(pki_words.CA_TAG, pki_words.CA_STATE, found.line.state),
        "others": pki.APPROVALS_REQUIRED[pki.ApprovalAction.CA_STATE],
        "means": words.said(pki_words.CA_STATE_MEANS, found.line.state),
        "form": form,
        "options": [_option(found, target) for target in pki.ca_state_targets(found.line.state)],
    }
    return render_page(request, PKI, "operators/ca_state.html", {**context, **(more or {})}, here="authorities", status=status)


def _option(found: pki.AuthorityRecord, target: str) -> dict[str, Any]:
    return {
        "value": target,
        "label": words.said(pki_words.CA_STATE, target),
        "lines": pki_consequences.of_ca_state(found, target),
        "grave": pki.ca_state_is_final(target),
    }
