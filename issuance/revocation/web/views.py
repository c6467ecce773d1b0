"""Pages of the revocation of a card or an eID: the request with its consequences on one page, and the publication."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any
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
from issuance.person_page.queries.page_parts import PersonHead
from issuance.records.web.frame import SEARCH, actor_of, render_page, session_id_of
from issuance.records.web.persons import photo_url
from issuance.revocation.domain import RequestChannel, RevocationReason
from issuance.revocation.models import HeldRevocation
from issuance.revocation.queries import held_revocations, revocation_view
from issuance.revocation.queries.known_reason import known_reason
from issuance.revocation.queries.revocation_view import OtherCarrier, RevocationSubject
from issuance.revocation.services import revocation
from issuance.revocation.web.asking import HELD, checked, waits_already, with_link
from issuance.revocation.web.forms import Proof, RevocationForm, empty_form, end_of_person_id
from issuance.search.services import card_searches
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.ids import id_of
from siths_portal.lib.pages.error_pages import leads_back

FOLLOWED_FOR = dt.timedelta(minutes=2)
"""The page polls for the signed OCSP responses this long after a revocation."""

_RESULT = {"carrier": "carrier_revoked", "eid": "eid_revoked"}
_FORM = {"carrier": "carrier_revoke", "eid": "eid_revoke"}
_BY_PHONE = {"channel": RequestChannel.PHONE.value}
"""The answer of somebody who only revokes: their requests come by telephone."""
_LOST = {"reason": RevocationReason.LOST_OR_STOLEN.value}
"""The answer of a clerk who chose Spärra förlorat kort. For other revocations it is what the portal knows (`known_reason`)."""


@require_http_methods(["GET", "HEAD", "POST"])
def carrier_revoke(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Shows the form with the consequences, and revokes a card. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    subject = revocation_view.carrier_to_revoke(actor=actor, carrier_id=carrier_id)
    return _revoke(request, subject, lambda fields: revocation.revoke_carrier(actor=actor, carrier_id=carrier_id, **fields))


@require_http_methods(["GET", "HEAD", "POST"])
def eid_revoke(request: HttpRequest, eid_id: UUID) -> HttpResponse:
    """Does the same for one eID."""
    actor = actor_of(request)
    subject = revocation_view.eid_to_revoke(actor=actor, eid_id=eid_id)
    return _revoke(request, subject, lambda fields: revocation.revoke_eid(actor=actor, eid_id=eid_id, **fields))


@require_safe
def carrier_revoked(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Shows a card's revocation and its publication. Raises NotFound, Forbidden."""
    return _revoked(request, revocation_view.carrier_to_revoke(actor=actor_of(request), carrier_id=carrier_id))


@require_safe
def eid_revoked(request: HttpRequest, eid_id: UUID) -> HttpResponse:
    """Shows the same for one eID."""
    return _revoked(request, revocation_view.eid_to_revoke(actor=actor_of(request), eid_id=eid_id))


def _revoke(request: HttpRequest, subject: RevocationSubject, act: Callable[[Mapping[str, Any]], object]) -> HttpResponse:
    leads_back(request, _card_page(subject), _("Till kortet"))
    if subject.revoked_at is not None:
        return redirect(_RESULT[subject.kind], subject.id)  # the result of the first click, also for a second one
    if not subject.possible:
        return render_page(request, SEARCH, "revocation/not_possible.html", {"subject": subject}, status=Conflict.http_status)
    eid_id = subject.id if subject.kind == "eid" else None
    if notice := held_revocations.repeated(
        actor=actor_of(request), person_id=subject.person_id, carrier_id=subject.carrier_id, eid_id=eid_id
    ):
        messages.warning(request, waits_already(notice))
        return redirect(_card_page(subject))
    actor = actor_of(request)
    head = person_view.person_head(actor=actor, person_id=subject.person_id)
    scanned = _is_scanned(request, subject)
    proof = None if scanned else _proof(subject, head)
    if request.method != "POST":
        chosen = {**(_BY_PHONE if scanned else {}), **_chosen(request)}
        return _form(request, subject, head, empty_form(chosen, proof=proof))
    form = RevocationForm(request.POST, proof=proof)
    fields = checked(actor, subject.known_since, form)
    if fields is None:
        return _form(request, subject, head, form, status=Invalid.http_status)
    if scanned and "kontrollerad" not in request.POST:
        return _last_question(request, subject, head, form)
    done = act(fields)
    if isinstance(done, HeldRevocation):
        messages.warning(request, with_link(HELD))
        return redirect(_card_page(subject))
    return redirect(_RESULT[subject.kind], subject.id)


def _is_scanned(request: HttpRequest, subject: RevocationSubject) -> bool:
    """Returns whether the user came by the card's complete number, which proves better than four digits that it is this card."""
    search_id = id_of(request.GET.get("sokning", ""))
    if search_id is None or subject.kind != "carrier":
        return False
    session_id = session_id_of(request)
    return card_searches.is_of_card(actor=actor_of(request), session_id=session_id, search_id=search_id, carrier_id=subject.id)


def _chosen(request: HttpRequest) -> Mapping[str, str]:
    """Returns the reason that the clerk chose by the function that led here, if any."""
    return _LOST if request.GET.get("orsak") == "forlorat" else {}


def _proof(subject: RevocationSubject, head: PersonHead) -> Proof | None:
    """Returns what the clerk types to confirm, or None if neither the carrier nor its holder has a number."""
    if subject.last:
        return Proof(subject.last, of_card=True)
    number = end_of_person_id(head.person_id)
    return Proof(number, of_card=False) if number else None


def _card_page(subject: RevocationSubject) -> str:
    return f"{reverse('person', args=[subject.person_id])}?barare={subject.carrier_id}"


def _form(
    request: HttpRequest, subject: RevocationSubject, head: PersonHead, form: RevocationForm, *, status: int = 200
) -> HttpResponse:
    actor = actor_of(request)
    disclosures.record(actor=actor, person_id=subject.person_id, shown=Shown.REVOCATION, subject=subject.id)
    others = revocation_view.other_carriers(actor=actor, subject=subject)
    known = known_reason(actor=actor, subject=subject, deceased=head.deceased, others=others)
    if known and not form.is_bound:
        form.initial.setdefault("reason", known.reason.value)
    context = {
        "subject": subject,
        "head": head,
        "form": form,
        "reason_note": known.why if known and form["reason"].value() == known.reason else "",
        "scanned": _is_scanned(request, subject),
        "photo_url": photo_url(head) if subject.has_photo else "",
        "others": others,
        **_following(subject, head, others),
    }
    return render_page(request, SEARCH, "revocation/form.html", context, status=status)


def _last_question(request: HttpRequest, subject: RevocationSubject, head: PersonHead, form: RevocationForm) -> HttpResponse:
    """Shows what the answers are and what follows, and asks for the last yes."""
    disclosures.record(actor=actor_of(request), person_id=subject.person_id, shown=Shown.REVOCATION, subject=subject.id)
    others = revocation_view.other_carriers(actor=actor_of(request), subject=subject)
    context = {"subject": subject, "head": head, "form": form, "answers": form.answers, "photo_url": ""}
    context |= _following(subject, head, others)
    return render_page(request, SEARCH, "revocation/last_question.html", context)


def _following(subject: RevocationSubject, head: PersonHead, others: Sequence[OtherCarrier]) -> dict[str, Any]:
    """Returns what the consequences depend on."""
    return {
        "elsewhere": revocation_view.certificates_are_elsewhere([subject]),
        "stays": next((each for each in others if each.spares_an_order), None),
        "needs_none": head.deceased,
    }


def _revoked(request: HttpRequest, subject: RevocationSubject) -> HttpResponse:
    if subject.revoked_at is None:
        return redirect(_FORM[subject.kind], subject.id)
    publication = revocation_view.publication([subject])
    context = {
        "subject": subject,
        "elsewhere": revocation_view.certificates_are_elsewhere([subject]),
        "publication": publication,
        "follows": publication.waits_for_ocsp and clock.now() - subject.revoked_at < FOLLOWED_FOR,
        "now": clock.now(),
    }
    if request.headers.get("HX-Request"):
        made_by_the_page(request)
        return render(request, "revocation/publication.html", context)
    actor = actor_of(request)
    head = person_view.person_head(actor=actor, person_id=subject.person_id)
    disclosures.record(actor=actor, person_id=head.id, shown=Shown.REVOCATION, subject=subject.id)
    may_order = not head.deceased and revocation_view.may_order_again(actor=actor, subject=subject)
    context |= {"head": head, "may_order": may_order}
    return render_page(request, SEARCH, "revocation/revoked.html", context)
