"""Pages of the revocation of a card or an eID: the request, a confirmation with the consequences, and the publication."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from authn.web import made_by_the_page
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import drafts
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries import person_view
from issuance.records.domain import wording
from issuance.records.queries import words
from issuance.records.web.frame import SEARCH, actor_of, render_page
from issuance.records.web.persons import photo_url
from issuance.revocation.domain import SWEDISH, RequestChannel, Requester, RevocationReason
from issuance.revocation.models import HeldRevocation
from issuance.revocation.queries import held_revocations, revocation_view
from issuance.revocation.queries.held_revocations import HeldNotice
from issuance.revocation.queries.revocation_view import RevocationSubject
from issuance.revocation.services import replacing, revocation
from issuance.revocation.services.revocation import RevocationRequest
from issuance.revocation.web.forms import RevocationForm, empty_form
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.pages.error_pages import leads_back

FOLLOWED_FOR = dt.timedelta(minutes=2)
"""The page polls for the signed OCSP responses this long after a revocation."""

_HELD = gettext_lazy(
    "Spärren är inte gjord. Du har spärrat så många kort den senaste timmen att en kollega måste godkänna den. "
    "Begäran är sparad med sin tid. Är det bråttom: ring en kollega nu."
)
_RESULT = {"carrier": "carrier_revoked", "eid": "eid_revoked"}
_FORM = {("carrier", False): "carrier_revoke", ("carrier", True): "carrier_replace", ("eid", False): "eid_revoke"}
_PROPOSED = {
    "reason": RevocationReason.DAMAGED.value,
    "requester": Requester.HOLDER.value,
    "channel": RequestChannel.VISIT.value,
}
"""Values proposed, with a note on the page, when a card with a blocked code is replaced. Other cards have no proposal."""

QUESTION, EDIT = "fraga", "andra"
"""Query parameters: the confirmation before the revocation, and the form with its earlier values."""


@require_http_methods(["GET", "HEAD", "POST"])
def carrier_revoke(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Shows the form and the confirmation, and revokes a card after it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    subject = revocation_view.carrier_to_revoke(actor=actor, carrier_id=carrier_id)
    return _revoke(request, subject, lambda fields: revocation.revoke_carrier(actor=actor, carrier_id=carrier_id, **fields))


@require_http_methods(["GET", "HEAD", "POST"])
def carrier_replace(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Does the same for a card with an immediate new order, and continues to the new order's draft.
    Raises NotFound, Forbidden.
    """
    actor = actor_of(request)
    subject = revocation_view.carrier_to_replace(actor=actor, carrier_id=carrier_id)
    if subject.revoked_at is not None and (draft := drafts.begun(actor=actor, person_id=subject.person_id)):
        return redirect("order_review", draft.pk)  # a second click leads to the same page as the first
    if not subject.possible and subject.state == CarrierState.ACTIVE:
        return redirect("carrier_revoke", carrier_id)
    return _revoke(request, subject, lambda fields: replacing.revoke_and_draft(actor=actor, carrier_id=carrier_id, **fields))


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
    if notice := held_revocations.repeated(actor=actor_of(request), carrier_id=subject.carrier_id, eid_id=eid_id):
        messages.warning(request, _waits_already(notice))
        return redirect(_card_page(subject))
    if request.method != "POST":
        disclosures.record(actor=actor_of(request), person_id=subject.person_id, shown=Shown.REVOCATION, subject=subject.id)
        return _shown(request, subject)
    form = RevocationForm(request.POST)
    if request.POST.get("step") == "edit":
        return _keep_and_redirect(request, subject, form, EDIT)
    fields = _checked(request, subject, form)
    if fields is None:
        return _form(request, subject, form, status=Invalid.http_status)
    if request.POST.get("step") != "confirm":
        return _keep_and_redirect(request, subject, form, QUESTION)
    done = act(fields)
    request.session.pop(_key(subject), None)
    if isinstance(done, HeldRevocation):
        messages.warning(request, _with_link(_HELD))
        return redirect(_card_page(subject))
    if isinstance(done, OrderDraft):
        messages.success(request, _("Kortet är spärrat. Kontrollera beställningen av det nya kortet och välj Beställ."))
        return redirect("order_review", done.pk)
    return redirect(_RESULT[subject.kind], subject.id)


def _card_page(subject: RevocationSubject) -> str:
    return f"{reverse('person', args=[subject.person_id])}?barare={subject.carrier_id}"


def _with_link(text: object) -> str:
    """Returns the text with a link to the waiting revocations."""
    return format_html('{} <a class="ds-link" href="{}">{}</a>', text, reverse("held_revocations"), _("Visa spärrar som väntar"))


def _waits_already(notice: HeldNotice) -> str:
    """Returns why the same request is not made again: its requester and its time."""
    at = f"{notice.requested_at.astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M}"
    text = _("Begäran skickades inte. {who} begärde samma spärr {at}, och den väntar på en kollegas beslut.")
    return _with_link(text.format(who=notice.requested_by, at=at))


def _shown(request: HttpRequest, subject: RevocationSubject) -> HttpResponse:
    """Shows the empty form, or the values kept in the session: with `?fraga` as a confirmation, with `?andra` in the form."""
    kept = request.session.get(_key(subject))
    if kept is None or not (QUESTION in request.GET or EDIT in request.GET):
        return _form(request, subject, empty_form(_PROPOSED if subject.code_blocked else None))
    if EDIT in request.GET:
        return _form(request, subject, RevocationForm(initial=kept))
    form = RevocationForm(kept)
    fields = _checked(request, subject, form)
    if fields is None:
        return _form(request, subject, form)
    return _page(request, "revocation/confirm.html", subject, {"rows": _rows(fields), "form": form})


def _keep_and_redirect(request: HttpRequest, subject: RevocationSubject, form: RevocationForm, then: str) -> HttpResponse:
    """Keeps the values in the session, so that the next page has its own URL and can be reloaded and returned to."""
    request.session[_key(subject)] = {name: request.POST.get(name, "") for name in form.fields}
    return redirect(f"{_form_address(subject)}?{then}")


def _form_address(subject: RevocationSubject) -> str:
    return reverse(_FORM[subject.kind, subject.replaced], args=[subject.id])


def _key(subject: RevocationSubject) -> str:
    return f"revocation-{subject.id}"


def _checked(request: HttpRequest, subject: RevocationSubject, form: RevocationForm) -> dict[str, Any] | None:
    """Returns the request's fields, or None, with the errors on the form, if they do not meet the rules."""
    form.is_valid()
    given = {name: form.cleaned_data.get(name, "") for name in form.fields}
    given["received_at"] = given["received_at"] or None
    try:
        revocation.check(actor=actor_of(request), request=RevocationRequest(**given), since=subject.known_since)
    except Invalid as error:
        form.take_beside(error)
    return None if form.errors else given


def _rows(fields: Mapping[str, Any]) -> list[dict[str, str]]:
    """Returns the request's fields with Swedish labels."""
    requester = wording.label(words.REQUESTER, fields["requester"])
    return [
        {"label": _("Spärrorsak"), "value": SWEDISH[RevocationReason(fields["reason"])]},
        *([{"label": _("Beskrivning"), "value": fields["justification"]}] if fields["justification"] else []),
        {"label": _("Begärd av"), "value": ", ".join(filter(None, (requester, fields["requester_name"])))},
        {"label": _("Begäran kom in"), "value": wording.label(words.REQUEST_CHANNEL, fields["channel"])},
        {"label": _("Tid"), "value": f"{fields['received_at'].astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M}"},
    ]


def _form(request: HttpRequest, subject: RevocationSubject, form: RevocationForm, *, status: int = 200) -> HttpResponse:
    return _page(request, "revocation/form.html", subject, {"form": form}, status=status)


def _page(
    request: HttpRequest, template: str, subject: RevocationSubject, context: Mapping[str, Any], *, status: int = 200
) -> HttpResponse:
    head = person_view.person_head(actor=actor_of(request), person_id=subject.person_id)
    return render_page(
        request, SEARCH, template, {"subject": subject, "head": head, "photo_url": photo_url(head), **context}, status=status
    )


def _revoked(request: HttpRequest, subject: RevocationSubject) -> HttpResponse:
    if subject.revoked_at is None:
        return redirect(_form_address(subject))
    publication = revocation_view.publication(subject)
    context = {
        "subject": subject,
        "publication": publication,
        "follows": publication.waits_for_ocsp and clock.now() - subject.revoked_at < FOLLOWED_FOR,
        "now": clock.now(),
    }
    if request.headers.get("HX-Request"):
        made_by_the_page(request)
        return render(request, "revocation/publication.html", context)
    return render_page(request, SEARCH, "revocation/revoked.html", context)
