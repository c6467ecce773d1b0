"""Pages of approval requests: the list, one request with its document, the decision, and the withdrawal."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import kept_form, require_recent_login
from issuance.authz import Action, Actor
from issuance.operators.queries import pki_consequences, pki_words
from issuance.operators.queries.pki_words import moment
from issuance.operators.services import approvals
from issuance.operators.web.documents import refs_of, rows_of
from issuance.operators.web.forms import DecisionForm
from issuance.operators.web.lists import ApprovalList
from issuance.operators.web.section import AT_ONCE, PKI, names_of
from issuance.records.domain import wording
from issuance.records.web.forms import DONE, tried
from issuance.records.web.frame import Link, actor_of, render_page
from issuance.records.web.values import row
from pki.approvals import ApprovalAction, ApprovalState, Decision
from pki.operators import approvals as pki_approvals
from pki.operators.approvals import ApprovalView, DecisionView
from pki.operators.authorities import authority_names
from siths_portal.lib.errors import Conflict


@require_safe
@PKI.requires()
def approval_list(request: HttpRequest) -> HttpResponse:
    """Shows the open and the closed requests."""
    closed = ApprovalList(request).shown()
    context = {"closed": closed, "waiting": None if closed.first_url else ApprovalList(request, waiting=True).shown()}
    return render_page(request, PKI, "operators/approvals.html", context, here="approvals")


@require_safe
@PKI.requires()
def approval(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Shows one request with its exact document and its decisions. Raises NotFound."""
    found = pki_approvals.approval(request_id)
    return render_page(request, PKI, "operators/approval.html", matter_context(request, found), here="approvals")


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.DECIDE_PKI)
def approval_decide(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Shows the document again and records the decision. Requires a fresh login. Raises NotFound."""
    found = pki_approvals.approval(request_id)
    if approvals.refusal(actor_of(request), found):
        status = Conflict.http_status if request.method == "POST" else 200
        return render_page(
            request, PKI, "operators/approval.html", matter_context(request, found), here="approvals", status=status
        )
    if step_up := require_recent_login(request, AT_ONCE):
        return step_up
    if request.method != "POST":
        typed = kept_form(request)
        kept = {name: typed[name] for name in ("decision", "justification") if name in typed} if typed else {}
        form = DecisionForm(initial=kept | {"document_sha256": found.document_sha256})
        return render_page(
            request, PKI, "operators/decide.html", matter_context(request, found) | {"form": form}, here="approvals"
        )
    form = DecisionForm(request.POST)
    _made, status = tried(
        form,
        lambda: approvals.decide(
            actor=actor_of(request),
            request_id=request_id,
            approve=form.cleaned_data["decision"] == "approved",
            document_sha256=form.cleaned_data["document_sha256"],
            justification=form.cleaned_data["justification"],
        ),
    )
    if status == DONE:
        messages.success(request, _("Ditt beslut är sparat."))
        return redirect("pki_approval", request_id)
    now = pki_approvals.approval(request_id)
    return render_page(
        request, PKI, "operators/decide.html", matter_context(request, now) | {"form": form}, here="approvals", status=status
    )


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.DECIDE_PKI)
def approval_withdraw(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Asks for confirmation and withdraws the actor's own request. Raises NotFound, Forbidden, Conflict."""
    found = pki_approvals.approval(request_id)
    if request.method == "POST":
        approvals.withdraw(actor=actor_of(request), request_id=request_id)
        messages.success(request, _("Ärendet är återtaget."))
        return redirect("pki_approval", request_id)
    return render_page(request, PKI, "operators/withdraw.html", matter_head(found), here="approvals")


def matter_head(found: ApprovalView, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Returns the heading of a request for pages that ask for confirmation."""
    names = authority_names() if names is None else names
    return {
        "found": found,
        "title": pki_words.matter(names, found.action, found.summary, found.document),
        "action": wording.label(pki_words.APPROVAL_ACTION, found.action),
    }


def matter_context(request: HttpRequest, found: ApprovalView) -> dict[str, Any]:
    """Returns the context of the pages of one request."""
    actor = actor_of(request)
    refs = [found.requester_ref, *(each.approver_ref for each in found.decisions), *refs_of(found.document)]
    names = names_of(request, refs)
    return matter_head(found, names) | {
        "state": pki_words.tagged(pki_words.APPROVAL_STATES, found.state),
        "facts": list(_facts(found, names)),
        "document": rows_of(found.document, names, found.action),
        "decisions": found.decisions,
        "stages": list(_stages(actor, found, names)),
        "next": _next(actor, found),
        "consequences": pki_consequences.of_matter(found),
        "missing": max(found.required - found.approved_by, 0),
        "functions": list(_functions(actor, found)),
    }


def _facts(found: ApprovalView, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    yield row(_("Begärt av"), pki_words.who(names, found.requester_ref))
    yield row(_("Begärt"), moment(found.created_at))
    yield row(_("Godkännanden"), _("{given} av {required}").format(given=found.approved_by, required=found.required))
    yield row(_("Avslutat"), moment(found.closed_at)) if found.closed_at else row(_("Gäller till"), moment(found.expires_at))
    yield row(_("Underlagets SHA-256"), found.document_sha256, code=True, copy=True)


def _stages(actor: Actor, found: ApprovalView, names: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yields the stages of the request: who requested it, who decided what, who may decide next, and its execution."""
    yield _stage("done", _("Begärt"), f"{pki_words.who(names, found.requester_ref)}, {moment(found.created_at)}")
    for each in found.decisions:
        state = "done" if each.decision == Decision.APPROVED else "stop"
        yield _stage(state, wording.label(pki_words.DECISION, each.decision), _decided(each, names))
    if found.is_open:
        for number in range(found.required - found.approved_by):
            why = approvals.refusal(actor, found) or _("Du kan besluta.")
            yield _stage("later" if number else "now", _("Godkänns av en person till"), "" if number else why)
    elif found.state not in (ApprovalState.APPROVED, ApprovalState.USED, ApprovalState.REJECTED):
        yield _stage("stop", pki_words.label(pki_words.APPROVAL_STATES, found.state), moment(found.closed_at))
    if found.state in (ApprovalState.OPEN, ApprovalState.APPROVED, ApprovalState.USED):
        used, approved = found.state == ApprovalState.USED, found.state == ApprovalState.APPROVED
        note = moment(found.closed_at) if used else _("Senast {at}").format(at=moment(found.expires_at))
        yield _stage("done" if used else "now" if approved else "later", _("Utförs") if not used else _("Utfört"), note)


def _stage(state: str, text: str, note: str) -> dict[str, str]:
    return {"state": state, "text": text, "note": note}


def _decided(each: DecisionView, names: Mapping[str, str]) -> str:
    signed = _("med underskrift") if each.signed else ""
    about = ", ".join(filter(None, (pki_words.who(names, each.approver_ref), moment(each.at), signed)))
    return f"{about}. {each.justification}" if each.justification else about


def _next(actor: Actor, found: ApprovalView) -> dict[str, str] | None:
    """Returns what the actor can do now, for the deep panel."""
    if found.is_open and not approvals.refusal(actor, found):
        text = _("Läs underlaget först. Beslutet kan inte ändras.")
        url = reverse("pki_approval_decide", args=[found.id])
        return {"heading": _("Godkänn eller avslå ärendet"), "text": text, "name": _("Besluta"), "url": url}
    if found.action == ApprovalAction.CA_STATE and found.state == ApprovalState.APPROVED:
        url = reverse("pki_approval_carry_out", args=[found.id])
        text = _("Godkännandet gäller till {at} och kan användas en gång.").format(at=moment(found.expires_at))
        return {"heading": _("Ändringen är godkänd"), "text": text, "name": _("Genomför ändringen"), "url": url}
    return None


def _functions(actor: Any, found: ApprovalView) -> Iterator[Link]:
    why_not = approvals.refusal(actor, found)
    if found.is_open:
        yield Link(_("Besluta"), reverse("pki_approval_decide", args=[found.id]), not why_not, why_not)
    if mass_revocation := found.document.get("mass_revocation"):
        yield Link(_("Visa masspärren"), reverse("pki_mass_revocation", args=[mass_revocation]))
    if found.action == ApprovalAction.IMPORT:
        yield Link(_("Visa importen"), reverse("pki_import", args=[found.id]))
    if found.action == ApprovalAction.CA_STATE and found.state == ApprovalState.APPROVED:
        yield Link(_("Genomför ändringen"), reverse("pki_approval_carry_out", args=[found.id]))
    if found.requester_ref == actor.ref and found.is_waiting:
        yield Link(_("Ta tillbaka ärendet"), reverse("pki_approval_withdraw", args=[found.id]))
