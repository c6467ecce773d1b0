"""Spärra allt för personen: everything of a person on one page, with one confirmation, and what ended (rules/issuance 6.1)."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import made_by_the_page
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries import person_view
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.revocation.domain import RevocationReason
from issuance.revocation.queries import held_revocations, revocation_view, whole_person_view
from issuance.revocation.queries.whole_person_view import PersonRevocation
from issuance.revocation.services import revocation_limit, whole_person
from issuance.revocation.web.asking import HELD, checked, with_link
from issuance.revocation.web.forms import Proof, RevocationForm, empty_form, end_of_person_id
from issuance.revocation.web.views import FOLLOWED_FOR
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.ids import ids_of
from siths_portal.lib.pages.error_pages import leads_back


@require_http_methods(["GET", "HEAD", "POST"])
def person_revoke(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Shows what ends with the form, and revokes it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    leads_back(request, reverse("person", args=[person_id]), _("Till personen"))
    found = whole_person_view.person_to_revoke(actor=actor, person_id=person_id)
    if not found.subjects:
        return _nothing_left(request, person_id)
    head = person_view.person_head(actor=actor, person_id=person_id)
    number = end_of_person_id(head.person_id)
    proof = Proof(number, of_card=False, whole=True) if number else None
    if request.method != "POST":
        known = {"reason": RevocationReason.DECEASED.value} if head.deceased else None
        return _form(request, found, empty_form(known, proof=proof))
    form = RevocationForm(request.POST, proof=proof)
    fields = checked(actor, found.known_since, form)
    if fields is None:
        return _form(request, found, form, status=Invalid.http_status)
    try:
        done = whole_person.revoke_person(actor=actor, person_id=person_id, shown=ids_of(request.POST.getlist("visat")), **fields)
    except Conflict as error:
        if error.code == revocation_limit.WAITS:
            messages.warning(request, with_link(error.message))
            return redirect("person", person_id)
        form.take(error)
        return _form(request, found, form, status=error.http_status)
    if isinstance(done, list):
        messages.warning(request, with_link(HELD))
        return redirect("person", person_id)
    return redirect("person_revoked", person_id)


@require_safe
def person_revoked(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Shows what ended last, what to do next, and when others see it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    found = whole_person_view.person_revoked(actor=actor, person_id=person_id)
    if found is None or found.revoked_at is None:
        return redirect("person_revoke", person_id)
    publication = revocation_view.publication(found.subjects)
    context = {
        "found": found,
        "elsewhere": revocation_view.certificates_are_elsewhere(found.subjects),
        "publication": publication,
        "follows": publication.waits_for_ocsp and clock.now() - found.revoked_at < FOLLOWED_FOR,
        "now": clock.now(),
    }
    if request.headers.get("HX-Request"):
        made_by_the_page(request)
        return render(request, "revocation/publication.html", context)
    head = person_view.person_head(actor=actor, person_id=person_id)
    disclosures.record(actor=actor, person_id=person_id, shown=Shown.REVOCATION)
    may_order = not head.deceased and revocation_view.may_order_after(actor=actor, person_id=person_id, reason=found.reason_code)
    context |= {"head": head, "may_order": may_order and bool(found.carriers)}
    return render_page(request, SEARCH, "revocation/person_revoked.html", context)


def _nothing_left(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Leads to what was revoked, which is also the answer to a second click; or says that there is nothing to revoke."""
    if whole_person_view.person_revoked(actor=actor_of(request), person_id=person_id) is not None:
        return redirect("person_revoked", person_id)
    context = {"person_id": person_id}
    return render_page(request, SEARCH, "revocation/person_not_possible.html", context, status=Conflict.http_status)


def _form(request: HttpRequest, found: PersonRevocation, form: RevocationForm, *, status: int = 200) -> HttpResponse:
    actor = actor_of(request)
    disclosures.record(actor=actor, person_id=found.person_id, shown=Shown.REVOCATION)
    context = {
        "found": found,
        "elsewhere": revocation_view.certificates_are_elsewhere(found.subjects),
        "what": held_revocations.in_numbers(len(found.carriers), len(found.eids)),
        "head": person_view.person_head(actor=actor, person_id=found.person_id),
        "form": form,
    }
    return render_page(request, SEARCH, "revocation/person_form.html", context, status=status)
