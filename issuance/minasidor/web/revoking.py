"""Pages where a holder revokes what is theirs: what, why, one last look at what follows, and what happens next."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from issuance.minasidor.domain import MyFunction
from issuance.minasidor.queries.own_carriers import name as carrier_name
from issuance.minasidor.queries.own_carriers import own_carriers
from issuance.minasidor.services import revoking
from issuance.minasidor.web.forms import OwnRevocationForm
from issuance.minasidor.web.frame import offered
from issuance.records.web.frame import actor_of, session_id_of
from issuance.revocation.queries import revocation_view
from issuance.revocation.queries.revocation_view import RevocationSubject
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

_FORM = {"carrier": "my_revoke", "eid": "my_revoke_eid"}
_RESULT = {"carrier": "my_revoked", "eid": "my_eid_revoked"}
_FOLLOWED_FOR = dt.timedelta(minutes=2)
"""The page says that the revocation is being published for this long at most."""


@require_safe
@offered(MyFunction.REVOKE)
def revocations(request: HttpRequest) -> HttpResponse:
    """Lets the holder choose what to revoke."""
    valid = [each for each in own_carriers(actor_of(request)) if each.is_valid]
    return render(request, "minasidor/revocations.html", {"carriers": valid, "tab": "my_revocations"})


@require_http_methods(["GET", "HEAD", "POST"])
@offered(MyFunction.REVOKE)
def revoke_carrier(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Asks why, shows what follows, and revokes a carrier. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    subject = revocation_view.carrier_to_revoke(actor=actor, carrier_id=carrier_id)
    return _revoke(request, subject, lambda given: revoking.revoke_own_carrier(actor=actor, carrier_id=carrier_id, **given))


@require_http_methods(["GET", "HEAD", "POST"])
@offered(MyFunction.REVOKE)
def revoke_eid(request: HttpRequest, eid_id: UUID) -> HttpResponse:
    """Does the same for one eID, which leaves its carrier."""
    actor = actor_of(request)
    subject = revocation_view.eid_to_revoke(actor=actor, eid_id=eid_id)
    return _revoke(request, subject, lambda given: revoking.revoke_own_eid(actor=actor, eid_id=eid_id, **given))


@require_safe
@offered(MyFunction.REVOKE)
def carrier_revoked(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Shows that a carrier is revoked and what happens next. Raises NotFound, Forbidden."""
    return _revoked(request, revocation_view.carrier_to_revoke(actor=actor_of(request), carrier_id=carrier_id))


@require_safe
@offered(MyFunction.REVOKE)
def eid_revoked(request: HttpRequest, eid_id: UUID) -> HttpResponse:
    """Does the same for one eID."""
    return _revoked(request, revocation_view.eid_to_revoke(actor=actor_of(request), eid_id=eid_id))


def _revoke(request: HttpRequest, subject: RevocationSubject, act: Callable[[dict[str, Any]], object]) -> HttpResponse:
    if subject.revoked_at is not None:
        return redirect(_RESULT[subject.kind], subject.id)  # the result of the first press, also for a second one
    if not subject.possible:
        return _page(request, "minasidor/not_possible.html", subject, status=Conflict.http_status)
    if request.method != "POST":
        return _page(request, "minasidor/revoke.html", subject, form=OwnRevocationForm())
    form = OwnRevocationForm(request.POST)
    if not form.is_valid():
        return _page(request, "minasidor/revoke.html", subject, form=form, status=Invalid.http_status)
    given = {name: form.cleaned_data[name] for name in ("reason", "justification")}
    if "bekrafta" not in request.POST:
        ends = revoking.ends_other_sessions(given["reason"])
        return _page(request, "minasidor/revoke_last.html", subject, form=form, ends_sessions=ends)
    act({**given, "session_id": session_id_of(request)})
    return redirect(_RESULT[subject.kind], subject.id)


def _revoked(request: HttpRequest, subject: RevocationSubject) -> HttpResponse:
    if subject.revoked_at is None:
        return redirect(_FORM[subject.kind], subject.id)
    publication = revocation_view.publication([subject])
    others = [each for each in own_carriers(actor_of(request)) if each.is_valid]
    return _page(
        request,
        "minasidor/revoked.html",
        subject,
        others=others,
        publication=publication,
        follows=publication.waits_for_ocsp and clock.now() - subject.revoked_at < _FOLLOWED_FOR,
        in_other_hands=subject.reason_code in revoking.IN_OTHER_HANDS,
    )


def _page(
    request: HttpRequest, template: str, subject: RevocationSubject, *, status: int = 200, **context: object
) -> HttpResponse:
    named = carrier_name(subject.carrier_kind, subject.last, subject.device, subject.carrier_state)
    elsewhere = revocation_view.certificates_are_elsewhere([subject])
    shown = {"subject": subject, "name": named, "elsewhere": elsewhere, "tab": "my_revocations", **context}
    return render(request, template, shown, status=status)
