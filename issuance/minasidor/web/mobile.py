"""Pages of Mobilt SITHS: what the holder has, the terms, the second log-in, the start code, the result, and a device's name."""

from math import ceil
from typing import Any
from uuid import UUID

import segno
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from authn.web import ask_for_login, not_activity
from issuance.activation.services import receipts
from issuance.minasidor.domain import MyFunction
from issuance.minasidor.queries.own_carriers import own_carrier
from issuance.minasidor.web import mobile_codes, refusals
from issuance.minasidor.web.forms import DeviceNameForm, MobileTermsForm
from issuance.minasidor.web.frame import offered
from issuance.mobile.domain.states import OPEN, EnrolmentState
from issuance.mobile.models import MobileEnrolment
from issuance.mobile.queries.own_mobiles import own_mobiles
from issuance.mobile.services import attestations, enrolling, enrolments, naming
from issuance.mobile.services.enrolling import LoggedIn
from issuance.records.web.frame import actor_of, session_id_of
from issuance.records.web.refreshing import refreshing
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid, TooManyRequests

TAB = "start"


@require_safe
@offered(MyFunction.MOBILE)
def mobiles(request: HttpRequest) -> HttpResponse:
    """Lists the holder's mobile eIDs, with what can be done to each, and the way to a further one."""
    context = {"mobiles": own_mobiles(actor_of(request)), "possible": attestations.is_possible(), "tab": TAB}
    return render(request, "minasidor/mobile.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@offered(MyFunction.MOBILE)
def terms(request: HttpRequest) -> HttpResponse:
    """Shows the terms and asks whether others use the device; a post accepts them, or is refused with the reason."""
    actor, form, refusal, status = actor_of(request), MobileTermsForm(request.POST or None), "", 200
    own = own_mobiles(actor)
    if request.method == "POST" and form.is_valid():
        try:
            if form.is_shared:
                refused = enrolling.refuse_shared(actor=actor, log_in=_log_in(request))
                return redirect("my_mobile_enrolment", refused.pk)
            return redirect("my_mobile_enrolment", enrolling.accept(actor=actor, log_in=_log_in(request)).pk)
        except (Conflict, TooManyRequests) as error:
            refusal, status = refusals.text_of(error), error.http_status
    elif form.errors:
        status = Invalid.http_status
    context = {"form": form, "refusal": refusal, "mobiles": own, "possible": attestations.is_possible(), "tab": TAB}
    return render(request, "minasidor/mobile_terms.html", context | {"general": receipts.current_terms()}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@offered(MyFunction.MOBILE)
def enrolment(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    """Shows the present step and follows the device to the end. A post shows the start code, or another one, after the second
    log-in. Raises NotFound.
    """
    actor = actor_of(request)
    row = enrolling.seen(actor, enrolment_id)
    now = enrolments.state_now(row)
    if request.method == "POST":
        return _offer(request, row, now)
    if now is EnrolmentState.COMPLETED and row.carrier is not None:
        mobile_codes.forget(request)
        messages.success(request, _("Mobilt SITHS är klart. Du kan använda det nu."))
        return redirect("my_mobile")
    is_second = enrolling.is_second(row, _log_in(request).at)
    context: dict[str, Any] = {"row": row, "state": now.value, "is_open": now in OPEN, "is_second": is_second, "tab": TAB}
    context |= _code(request, row, now) | _time_left(row)
    if now in OPEN:
        context |= {"stages": _stages(now, is_second=is_second), "mobiles": own_mobiles(actor)}
    return render(request, "minasidor/mobile_enrolment.html", context | refreshing(request, live=_follows(now)))


@not_activity
@require_safe
@offered(MyFunction.MOBILE)
def state(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    """Says that nothing has changed since the page, shows the minutes that are left since `kvar` of them were, or has the browser
    load the page again. Raises NotFound.
    """
    row = enrolling.seen(actor_of(request), enrolment_id)
    now, time_left = enrolments.state_now(row), _time_left(row)
    if request.GET.get("sedan") != now.value:
        return HttpResponseClientRefresh()
    if now is EnrolmentState.OFFERED and request.GET.get("kvar", str(time_left["left"])) != str(time_left["left"]):
        return render(request, "minasidor/mobile_left.html", time_left)
    return HttpResponse(status=204)


@require_http_methods(["GET", "HEAD", "POST"])
@offered(MyFunction.MOBILE)
def cancel(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    """Breaks off. Raises NotFound."""
    actor = actor_of(request)
    if request.method != "POST":
        return redirect("my_mobile_enrolment", enrolling.seen(actor, enrolment_id).pk)
    row = enrolling.cancel(actor=actor, enrolment_id=enrolment_id)
    mobile_codes.forget(request)
    if row.state == EnrolmentState.COMPLETED:
        return redirect("my_mobile_enrolment", row.pk)
    messages.info(request, _("Du har avbrutit. Du kan börja om när du vill."))
    return redirect("my_mobile")


@require_http_methods(["GET", "HEAD", "POST"])
@offered(MyFunction.MOBILE)
def name(request: HttpRequest, carrier_id: UUID) -> HttpResponse:
    """Asks for the name of a device. Raises NotFound."""
    actor = actor_of(request)
    carrier, refusal = own_carrier(actor, carrier_id), ""
    form = DeviceNameForm(request.POST) if request.method == "POST" else DeviceNameForm(initial={"device": carrier.device})
    if form.is_bound and form.is_valid():
        try:
            naming.rename(actor=actor, carrier_id=carrier_id, device=form.cleaned_data["device"])
        except Conflict as error:
            refusal = refusals.text_of(error)
        except Invalid as error:
            form.add_error("device", refusals.text_of(error))
        else:
            messages.success(request, _("Namnet är ändrat."))
            return redirect("my_mobile")
    status = Conflict.http_status if refusal else Invalid.http_status if form.errors else 200
    context = {"carrier": carrier, "form": form, "refusal": refusal, "tab": TAB}
    return render(request, "minasidor/mobile_name.html", context, status=status)


def _offer(request: HttpRequest, row: MobileEnrolment, now: EnrolmentState) -> HttpResponse:
    if now is EnrolmentState.ACCEPTED and not enrolling.is_second(row, _log_in(request).at):
        return ask_for_login(request, request.get_full_path())
    try:
        mobile_codes.keep(request, enrolling.offer(actor=actor_of(request), enrolment_id=row.pk, log_in=_log_in(request)))
    except Conflict as error:
        messages.error(request, refusals.text_of(error))
    return redirect("my_mobile_enrolment", row.pk)


def _code(request: HttpRequest, row: MobileEnrolment, now: EnrolmentState) -> dict[str, Any]:
    code = mobile_codes.find(request, row, now)
    qr = segno.make(code, error="m").svg_data_uri(scale=8, border=3, light="#fff") if code else ""
    return {"handle": code, "link": mobile_codes.link(code) if code else "", "qr": qr, "app": settings.EID_APP_DOWNLOAD_URL}


def _time_left(row: MobileEnrolment) -> dict[str, int]:
    """Returns the minutes that a start code works, and those that are left of the present step, begun ones counted."""
    left = ceil(max((row.expires_at - clock.now()).total_seconds(), 0) / 60)
    return {"left": left, "whole": settings.MOBILE_HANDLE_SECONDS // 60}


_STAGES = (
    gettext_lazy("Godkänn villkoren"),
    gettext_lazy("Logga in en gång till"),
    gettext_lazy("Öppna appen eller läs av bilden"),
    gettext_lazy("Välj en kod i appen"),
)


def _stages(now: EnrolmentState, *, is_second: bool) -> list[dict[str, Any]]:
    """Returns the stages of an open enrolment for components/track.html."""
    here = {EnrolmentState.ACCEPTED: 2 if is_second else 1, EnrolmentState.OFFERED: 2}.get(now, 3)
    states = ["done"] * here + ["now"] + ["later"] * (len(_STAGES) - here - 1)
    stages: list[dict[str, Any]] = [{"state": state, "text": text} for state, text in zip(states, _STAGES, strict=True)]
    stages[-1]["note"] = _("6–8 siffror. Bara du ser dem.")
    return stages


def _follows(now: EnrolmentState) -> bool:
    return now in (EnrolmentState.OFFERED, EnrolmentState.STARTED, EnrolmentState.CODE_SET)


def _log_in(request: HttpRequest) -> LoggedIn:
    user: Any = request.user
    return LoggedIn(session_id_of(request), user.authenticated_at, user.credential_ref)
