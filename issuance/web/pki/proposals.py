"""Pages of ceremonies that are prepared: the file is laid in, signatures are handed in, and what is still needed is said.

Approvers sign outside the browser, with keys that never come here. Who hands a signature in proves nothing: the signature does.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import require_recent_login
from issuance.authz import Action
from issuance.queries import officers, pki_words
from issuance.queries.pki_words import moment
from issuance.services import pki_operations
from issuance.web.pki.around import AT_ONCE, Link, actor_of, operators, page, row
from issuance.web.pki.ceremonies import PERFORMED, SECTION, SIGNED, event, prepared_tag, steps, yaml_file
from issuance.web.pki.forms import CeremonyFileForm, SignatureForm
from pki import service as pki
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.forms import Form

LARGEST = 200_000
"""Octets of a file that is read at all; what a ceremony file or a signature may have is less or the same."""


@require_http_methods(["GET", "HEAD", "POST"])
@operators(Action.DECIDE_PKI)
def propose(request: HttpRequest) -> HttpResponse:
    """Takes a ceremony file."""
    if step_up := require_recent_login(request, AT_ONCE):
        return step_up
    form, status = CeremonyFileForm(), 200
    if request.method == "POST":
        form = CeremonyFileForm(request.POST, request.FILES)
        made, status = _taken(form, lambda file: pki_operations.propose_ceremony(actor=actor_of(request), content=file))
        if made is not None:
            messages.success(request, _("Filen är inlagd. Nu kan godkännarna skriva under den."))
            return redirect("pki_proposal", made)
    return page(request, "operators/propose.html", SECTION, {"form": form}, status=status)


@require_safe
@operators(Action.VIEW_PKI)
def proposal(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """What a prepared ceremony would do, who has signed, and what is still needed. Raises NotFound."""
    found = pki.proposal(proposal_id)
    if found.ceremony_id is not None:
        return redirect("pki_ceremony", found.ceremony_id)
    return page(request, "operators/proposal.html", SECTION, _context(request, found))


@require_http_methods(["GET", "HEAD", "POST"])
@operators(Action.DECIDE_PKI)
def sign(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Takes an approver's signature. Raises NotFound."""
    found = pki.proposal(proposal_id)
    if not found.is_open:
        return redirect("pki_proposal", proposal_id)
    if step_up := require_recent_login(request, AT_ONCE):
        return step_up
    form, status = SignatureForm(), 200
    if request.method == "POST":
        form = SignatureForm(request.POST, request.FILES)
        act = lambda file: pki_operations.sign_ceremony(actor=actor_of(request), proposal_id=proposal_id, signature=file)  # noqa: E731
        name, status = _taken(form, act)
        if name is not None:
            messages.success(request, _("Underskriften av {name} stämmer och är sparad.").format(name=name))
            return redirect("pki_proposal", proposal_id)
    return page(request, "operators/sign.html", SECTION, _context(request, found) | {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@operators(Action.DECIDE_PKI)
def withdraw(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """Asks whether the prepared ceremony is to be taken back; when posted, takes it back. Raises NotFound, Conflict."""
    found = pki.proposal(proposal_id)
    if request.method == "POST":
        pki_operations.withdraw_proposal(actor=actor_of(request), proposal_id=proposal_id)
        messages.success(request, _("Den förberedda ceremonin är återtagen."))
        return redirect("pki_ceremonies")
    return page(request, "operators/proposal_withdraw.html", SECTION, _context(request, found))


@require_safe
@operators(Action.VIEW_PKI)
def proposal_file(request: HttpRequest, proposal_id: UUID) -> HttpResponse:
    """The file to sign, byte for byte. Raises NotFound."""
    found = pki.proposal(proposal_id)
    return yaml_file(found.file_text, found.view.file_sha256)


def _taken[T](form: Form, act: Callable[[bytes], T]) -> tuple[T | None, int]:
    """What the act made of the form's file, or None with the refusal on the form, and the status to answer with."""
    if not form.is_valid():
        return None, Invalid.http_status
    file = form.cleaned_data["file"]
    if file.size > LARGEST:
        form.add_error("file", _("Filen är för stor. Den får ha högst 200 kB."))
        return None, Invalid.http_status
    try:
        return act(file.read()), 200
    except (Invalid, Conflict) as error:
        form.add_error("file", error.message)
        return None, error.http_status


def _context(request: HttpRequest, found: pki.ProposalRecord) -> dict[str, Any]:
    events = pki.ceremony_events(found.view.file_sha256)
    refs = [*(each.actor_ref for each in events), *(each.registered_by_ref for each in found.approvers)]
    names = officers.names(actor_of(request), [*refs, found.view.proposed_by_ref])
    withdrawn = {"kind": "cancelled", "text": _("Återtagen")}
    return {
        "found": found,
        "tag": withdrawn if found.withdrawn_at else prepared_tag(not found.missing),
        "steps": [] if found.withdrawn_at else steps(SIGNED if found.missing else PERFORMED),
        "facts": list(_facts(found, names)),
        "approvers": [_approver(each, names) for each in found.approvers],
        "history": [event(each, names) for each in events],
        "functions": list(_functions(found)),
        "file_name": f"ceremoni-{found.view.file_sha256[:12]}.yaml",
    }


def _facts(found: pki.ProposalRecord, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    yield row(_("Miljö"), found.view.environment, code=True)
    yield row(_("Begärs av"), found.requester)
    for each in found.participants:
        yield row(each.role, each.name)
    yield row(_("Inlagd av"), pki_words.who(names, found.view.proposed_by_ref))
    yield row(_("Inlagd"), moment(found.view.proposed_at))
    if found.withdrawn_at:
        yield row(_("Återtagen"), moment(found.withdrawn_at))
    yield row(_("Filens SHA-256"), found.view.file_sha256, code=True, copy=True)


def _approver(each: pki.ApproverView, names: Mapping[str, str]) -> dict[str, Any]:
    if each.fault:
        tag = {"kind": "missing", "text": each.fault[:1].upper() + each.fault[1:]}
    elif each.counts:
        tag = {"kind": "active", "text": _("Har skrivit under")}
    else:
        tag = {"kind": "queued", "text": _("Har inte skrivit under")}
    return {
        "approver": each,
        "tag": tag,
        "not_after": moment(each.not_after)[:10],
        "signed_at": moment(each.signed_at)[:16],
        "registered": pki_words.who(names, each.registered_by_ref) if each.registered_at else "",
    }


def _functions(found: pki.ProposalRecord) -> Iterator[Link]:
    arguments = [found.view.id]
    if found.is_open:
        yield Link(_("Lämna in en underskrift"), reverse("pki_proposal_sign", args=arguments))
    yield Link(_("Hämta ceremonifilen (YAML)"), reverse("pki_proposal_file", args=arguments))
    if found.is_open:
        yield Link(_("Ta tillbaka"), reverse("pki_proposal_withdraw", args=arguments))
