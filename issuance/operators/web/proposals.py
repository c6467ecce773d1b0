"""Pages of prepared ceremonies: upload of the file, registration of signatures, and what is still missing.

Approvers sign outside the browser with keys that never come here. Anyone may upload a signature: it authenticates the approver,
not the uploader.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import require_recent_login
from issuance.authz import Action
from issuance.operators.queries import pki_words
from issuance.operators.queries.pki_words import minute, moment
from issuance.operators.services import ceremonies
from issuance.operators.web.ceremonies import PERFORMED, SECTION, SIGNED, event, file_name, prepared_tag, steps, yaml_file
from issuance.operators.web.forms import CeremonyFileForm, SignatureForm
from issuance.operators.web.section import AT_ONCE, PKI
from issuance.people.queries import officers
from issuance.records.domain import wording
from issuance.records.web.forms import tried
from issuance.records.web.frame import Link, actor_of, render_page
from issuance.records.web.values import row
from pki import approvals
from pki import ceremonies as pki_ceremonies
from pki.ceremonies import ApproverView, ProposalRecord
from pki.operators.ceremonies import ceremony_events
from siths_portal.lib.files.uploads import takes_files
from siths_portal.lib.pages.error_pages import with_retry_after


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.DECIDE_PKI)
def propose(request: HttpRequest) -> HttpResponse:
    """Accepts a ceremony file."""
    if step_up := require_recent_login(request, AT_ONCE):
        return step_up
    form, status = CeremonyFileForm(), 200
    if request.method == "POST":
        form = CeremonyFileForm(request.POST, request.FILES)
        made, status = tried(form, lambda: ceremonies.propose(actor=actor_of(request), content=form.content()))
        if made is not None:
            messages.success(request, _("Filen är uppladdad. Nu kan godkännarna skriva under den."))
            return redirect("pki_proposal", made)
    return with_retry_after(
        render_page(request, PKI, "operators/propose.html", {"form": form}, here=SECTION, status=status), form.retry_after
    )


@require_safe
@PKI.requires()
def proposal(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Shows the content of a prepared ceremony, its signatures and what is still missing. Raises NotFound."""
    found = pki_ceremonies.proposal(proposal_id)
    if found.ceremony_id is not None:
        return redirect("pki_ceremony", found.ceremony_id)
    return render_page(request, PKI, "operators/proposal.html", _context(request, found), here=SECTION)


@takes_files
@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.DECIDE_PKI)
def sign(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Accepts an approver's signature; a closed proposal refuses it. Raises NotFound."""
    found = pki_ceremonies.proposal(proposal_id)
    if not found.is_open and request.method != "POST":
        return redirect("pki_proposal", proposal_id)
    if step_up := require_recent_login(request, AT_ONCE):
        return step_up
    form, status = SignatureForm(), 200
    if request.method == "POST":
        form = SignatureForm(request.POST, request.FILES)
        name, status = tried(
            form,
            lambda: ceremonies.sign(actor=actor_of(request), proposal_id=proposal_id, signature=form.content()),
        )
        if name is not None:
            messages.success(request, _("Underskriften av {name} stämmer och är sparad.").format(name=name))
            return redirect("pki_proposal", proposal_id)
    context = {"found": found, "form": form, "days": approvals.LIFETIME.days}
    return with_retry_after(
        render_page(request, PKI, "operators/sign.html", context, here=SECTION, status=status), form.retry_after
    )


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.DECIDE_PKI)
def withdraw(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Asks for confirmation and withdraws the prepared ceremony. Raises NotFound, Conflict."""
    found = pki_ceremonies.proposal(proposal_id)
    if not found.is_open and request.method != "POST":
        return redirect("pki_proposal", proposal_id)
    if request.method == "POST":
        ceremonies.withdraw(actor=actor_of(request), proposal_id=proposal_id)
        messages.success(request, _("Den förberedda ceremonin är återtagen."))
        return redirect("pki_ceremonies")
    return render_page(request, PKI, "operators/proposal_withdraw.html", {"found": found}, here=SECTION)


@require_safe
@PKI.requires()
def proposal_file(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Returns the file to sign, byte for byte. Raises NotFound."""
    found = pki_ceremonies.proposal(proposal_id)
    return yaml_file(found.file_text, found.view.file_sha256)


def _context(request: HttpRequest, found: ProposalRecord) -> dict[str, Any]:
    events = ceremony_events(found.view.file_sha256)
    refs = [*(each.actor_ref for each in events), *(each.registered_by_ref for each in found.approvers)]
    names = officers.names(actor_of(request), [*refs, found.view.proposed_by_ref])
    return {
        "found": found,
        "tag": _tag(found),
        "steps": [] if found.withdrawn_at else steps(PERFORMED if found.view.is_signed else SIGNED),
        "facts": list(_facts(found, names)),
        "approvers": [_approver(each, names) for each in found.approvers],
        "history": [event(each, names) for each in events],
        "functions": list(_functions(found)),
        "file_name": file_name(found.view.file_sha256),
    }


def _tag(found: ProposalRecord) -> dict[str, str]:
    if found.withdrawn_at:
        return {"kind": "cancelled", "text": _("Återtagen")}
    return {"kind": "sent", "text": _("Klar att genomföra")} if found.ready else prepared_tag(found.view)


def _facts(found: ProposalRecord, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    yield row(_("Miljö"), found.view.environment, code=True)
    yield row(_("Begärs av"), found.requester)
    for each in found.participants:
        yield row(each.role, each.name)
    yield row(_("Registrerad av"), pki_words.who(names, found.view.proposed_by_ref))
    yield row(_("Registrerad"), moment(found.view.proposed_at))
    if found.withdrawn_at:
        yield row(_("Återtagen"), moment(found.withdrawn_at))
    yield row(_("Filens SHA-256"), found.view.file_sha256, code=True, copy=True)


def _approver(each: ApproverView, names: Mapping[str, str]) -> dict[str, Any]:
    if each.fault:
        tag = {"kind": "missing", "text": capfirst(each.fault)}
    elif each.counts:
        tag = {"kind": "active", "text": _("Har skrivit under")}
    else:
        tag = {"kind": "queued", "text": _("Har inte skrivit under")}
    return {
        "approver": each,
        "tag": tag,
        "not_after": wording.day(each.not_after),
        "signed_at": minute(each.signed_at),
        "registered": pki_words.who(names, each.registered_by_ref) if each.registered_at else "",
    }


def _functions(found: ProposalRecord) -> Iterator[Link]:
    arguments = [found.view.id]
    if found.is_open:
        yield Link(_("Lämna in en underskrift"), reverse("pki_proposal_sign", args=arguments))
    yield Link(_("Hämta ceremonifilen (YAML)"), reverse("pki_proposal_file", args=arguments))
    if found.is_open:
        yield Link(_("Ta tillbaka ceremonin"), reverse("pki_proposal_withdraw", args=arguments))
