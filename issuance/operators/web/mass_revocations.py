"""Pages of mass revocation: the list, the dry run of a selection, the request, its start, progress and report (ADR 0136)."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from authn.web import kept_form, made_by_the_page, require_recent_login
from issuance.authz import Action
from issuance.operators.queries import operator_certificates, pki_words
from issuance.operators.services import mass_revocations
from issuance.operators.web import mass_rows
from issuance.operators.web.lists import CertificateList, MassList
from issuance.operators.web.mass_forms import MassGroundsForm, MassSelectionForm, MassStopForm, as_typed, empty_grounds
from issuance.operators.web.section import AT_ONCE, PKI, names_of
from issuance.records.web.forms import DONE, tried
from issuance.records.web.frame import actor_of, render_page, session_id_of
from issuance.records.web.refreshing import refreshing
from pki import approvals
from pki import mass_revocation as pki_mass_revocation
from pki.approvals import ApprovalAction
from pki.mass_revocation import MassRevocationView, MassSelection
from pki.operators.authorities import authority_names
from siths_portal.lib.errors import Conflict
from siths_portal.lib.lists import Lines

SECTION = "mass"


@require_safe
@PKI.requires()
def mass_list(request: HttpRequest) -> HttpResponse:
    """Shows the mass revocations, the newest first."""
    context = {"list": MassList(request).shown(), "functions": list(mass_rows.list_functions(actor_of(request)))}
    return render_page(request, PKI, "operators/mass_list.html", context, here=SECTION)


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.MASS_REVOKE)
def mass_new(request: HttpRequest) -> HttpResponse:
    """Shows the criteria, prefilled from an own dry run by `?fran=`, and redirects to the dry run of posted ones."""
    actor, session_id = actor_of(request), session_id_of(request)
    if request.method != "POST":
        form = MassSelectionForm(initial=_selection_of(request))
        return render_page(request, PKI, "operators/mass_new.html", {"form": form}, here=SECTION)
    form = MassSelectionForm(request.POST)
    trial, status = tried(form, lambda: mass_revocations.count(actor=actor, session_id=session_id, selection=form.selection()))
    if trial is not None:
        return redirect("pki_mass_trial", trial.pk)
    return render_page(request, PKI, "operators/mass_new.html", {"form": form}, here=SECTION, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.MASS_REVOKE)
def mass_trial(request: HttpRequest, trial_id: UUID) -> HttpResponse:
    """Shows a dry run of the user's own session with the grounds, and creates the request once. Raises NotFound."""
    actor, session_id = actor_of(request), session_id_of(request)
    trial = mass_revocations.own_trial(actor=actor, session_id=session_id, trial_id=trial_id)
    if trial.mass_revocation_id is not None:
        return redirect("pki_mass_revocation", trial.mass_revocation_id)
    form, status = MassGroundsForm(initial=empty_grounds()), 200
    if request.method == "POST":
        if step_up := require_recent_login(request, AT_ONCE):
            return step_up
        form = MassGroundsForm(request.POST)
        made, status = tried(
            form,
            lambda: mass_revocations.request(actor=actor, session_id=session_id, trial_id=trial_id, grounds=form.grounds()),
        )
        if made is not None:
            messages.success(request, _("Masspärren är begärd. Nu ska andra personer godkänna den."))
            return redirect("pki_mass_revocation", made)
    elif typed := kept_form(request):
        form = MassGroundsForm(initial=typed.dict() | {"publish_crls": "publish_crls" in typed})
    context = mass_rows.trial(trial, authority_names()) | {
        "form": form,
        "others": approvals.REQUIRED[ApprovalAction.MASS_REVOCATION],
        "samples": CertificateList(request, Lines(operator_certificates.mass_samples(actor=actor, trial=trial))).shown(),
    }
    return render_page(request, PKI, "operators/mass_trial.html", context, here=SECTION, status=status)


@require_safe
@PKI.requires()
def mass_revocation(request: HttpRequest, mass_revocation_id: UUID) -> HttpResponse:
    """Shows one mass revocation. htmx polls the part that changes, with the shown state in `?lage=`. Raises NotFound."""
    found = pki_mass_revocation.mass_revocation(mass_revocation_id)
    if request.headers.get("HX-Request"):
        made_by_the_page(request)
        if request.GET.get("lage") != found.state:
            return HttpResponseClientRefresh()
        return render(request, "operators/mass_progress.html", mass_rows.progress(found, authority_names()))
    return _shown(request, found)


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.MASS_REVOKE)
def mass_start(request: HttpRequest, mass_revocation_id: UUID) -> HttpResponse:
    """Asks for confirmation and starts or continues. Requires a fresh login. Raises NotFound, Conflict."""
    found = pki_mass_revocation.mass_revocation(mass_revocation_id)
    if mass_revocations.refusal(found):
        return _refused(request, found)
    if step_up := require_recent_login(request, AT_ONCE):
        return step_up
    if request.method != "POST":
        return render_page(request, PKI, "operators/mass_start.html", _context(request, found), here=SECTION)
    mass_revocations.start(actor=actor_of(request), mass_revocation_id=mass_revocation_id)
    messages.success(request, _("Masspärren är startad."))
    return redirect("pki_mass_revocation", mass_revocation_id)


@require_http_methods(["GET", "HEAD", "POST"])
@PKI.requires(Action.MASS_REVOKE)
def mass_stop(request: HttpRequest, mass_revocation_id: UUID) -> HttpResponse:
    """Asks for a justification and stops. Requires no fresh login, because an operator must be able to stop a mistake fast.
    Raises NotFound.
    """
    found = pki_mass_revocation.mass_revocation(mass_revocation_id)
    if found.state != "running":
        return _refused(request, found)
    form, status = MassStopForm(), 200
    if request.method == "POST":
        form = MassStopForm(request.POST)
        _made, status = tried(
            form,
            lambda: mass_revocations.stop(
                actor=actor_of(request),
                mass_revocation_id=mass_revocation_id,
                justification=form.cleaned_data["justification"],
            ),
        )
        if status == DONE:
            messages.success(request, _("Masspärren är stoppad."))
            return redirect("pki_mass_revocation", mass_revocation_id)
    context = {
        "found": found,
        "title": pki_words.mass(authority_names(), found.document),
        "address": _address(found),
        "form": form,
    }
    return render_page(request, PKI, "operators/mass_stop.html", context, here=SECTION, status=status)


def _selection_of(request: HttpRequest) -> dict[str, object]:
    """Returns the criteria of the user's own dry run in `?fran=`, to be changed. Returns an empty dict if the value is not a
    UUID.
    """
    try:
        trial_id = UUID(request.GET.get("fran", ""))
    except ValueError:
        return {}
    trial = mass_revocations.own_trial(actor=actor_of(request), session_id=session_id_of(request), trial_id=trial_id)
    return as_typed(MassSelection.from_plain(trial.selection))


def _refused(request: HttpRequest, found: MassRevocationView) -> HttpResponse:
    """Shows the page, which explains why the action is not possible."""
    status = Conflict.http_status if request.method == "POST" else 200
    return _shown(request, found, status=status)


def _shown(request: HttpRequest, found: MassRevocationView, *, status: int = 200) -> HttpResponse:
    context = _context(request, found) | refreshing(request, live=found.state in mass_rows.LIVE)
    return render_page(request, PKI, "operators/mass_revocation.html", context, here=SECTION, status=status)


def _context(request: HttpRequest, found: MassRevocationView) -> dict[str, object]:
    actor = actor_of(request)
    refs = {found.requested_by_ref, found.started_by_ref, found.document["requester"], *found.approver_refs}
    return mass_rows.page_context(actor, found, names_of(request, refs)) | {"address": _address(found)}


def _address(found: MassRevocationView) -> str:
    return reverse("pki_mass_revocation", args=[found.id])
