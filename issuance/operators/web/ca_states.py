"""Pages on which operators request a change of a CA's state, with its consequences, and execute an approved one."""

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
from issuance.operators.services import ca_states
from issuance.operators.web.approvals import matter_context, matter_head
from issuance.operators.web.forms import CaStateForm
from issuance.operators.web.section import AT_ONCE, PKI
from issuance.records.web.forms import tried
from issuance.records.web.frame import actor_of, render_page
from pki import approvals as pki_approvals
from pki.approvals import ApprovalAction, ApprovalState
from pki.authorities import is_final_state, target_states
from pki.operators.approvals import approval, ca_state_matter
from pki.operators.authorities import AuthorityRecord, authority_record
from siths_portal.lib.errors import Conflict, NotFound

FIELDS = ("state", "justification")


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.CHANGE_CA_STATE)
def ca_state(request: HttpRequest, slug: str, generation: int) -> HttpResponse:
    """Shows the states that the CA can change to, each with its consequences, and creates the request. Raises NotFound."""
    found, matter = authority_record(slug, generation), ca_state_matter(slug, generation)
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
    made, status = tried(
        form,
        lambda: ca_states.request_state_change(
            actor=actor_of(request),
            slug=slug,
            generation=generation,
            target=form.cleaned_data["state"],
            justification=form.cleaned_data["justification"],
        ),
    )
    if made is not None:
        others = pki_approvals.REQUIRED[ApprovalAction.CA_STATE]
        message = ngettext(
            "Ändringen är begärd. En annan person ska godkänna den.",
            "Ändringen är begärd. {n} andra personer ska godkänna den.",
            others,
        )
        messages.success(request, message.format(n=others))
        return redirect("pki_approval", made)
    return _page(request, found, form, status=status)


def obstacle(found: AuthorityRecord) -> str:
    """Returns the reason why no change of state can be requested now. Returns an empty string if one can."""
    stays = pki_words.CA_STATE_STAYS.get(found.line.state)
    return _(stays) if stays else found.state_obstacle


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.CHANGE_CA_STATE)
def carry_out(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Asks for confirmation and executes the approved change. Raises NotFound for requests of other kinds."""
    matter = approval(request_id)
    if matter.action != ApprovalAction.CA_STATE:
        raise NotFound("approval-unknown", "Ärendet finns inte.")
    if matter.state != ApprovalState.APPROVED:
        status = Conflict.http_status if request.method == "POST" else 200
        return render_page(
            request, PKI, "operators/approval.html", matter_context(request, matter), here="approvals", status=status
        )
    if step_up := require_recent_login(request, AT_ONCE):
        return step_up
    if request.method == "POST":
        try:
            slug, generation = ca_states.carry_out_state_change(actor=actor_of(request), request_id=request_id)
        except Conflict as error:
            messages.error(request, error.message)
            return redirect("pki_approval", request_id)
        messages.success(request, _("Utfärdarens tillstånd är ändrat."))
        return redirect("pki_authority", slug, generation)
    context = matter_head(matter) | {
        "consequences": pki_consequences.of_matter(matter),
        "final": is_final_state(matter.document["to"]),
    }
    return render_page(request, PKI, "operators/carry_out.html", context, here="approvals")


def _page(
    request: HttpRequest,
    found: AuthorityRecord,
    form: CaStateForm | None,
    *,
    status: int = 200,
    more: Mapping[str, Any] | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {
        "found": found,
        "state": pki_words.tagged(pki_words.CA_STATES, found.line.state),
        "others": pki_approvals.REQUIRED[ApprovalAction.CA_STATE],
        "means": pki_words.meaning(pki_words.CA_STATES, found.line.state),
        "form": form,
        "options": [_option(found, target) for target in target_states(found.line.state)],
    }
    return render_page(request, PKI, "operators/ca_state.html", {**context, **(more or {})}, here="authorities", status=status)


def _option(found: AuthorityRecord, target: str) -> dict[str, Any]:
    return {
        "value": target,
        "label": pki_words.label(pki_words.CA_STATES, target),
        "lines": pki_consequences.of_ca_state(found, target),
        "grave": is_final_state(target),
    }
