"""Log-in and log-out. The user must press a button to log in: no session begins silently (ASVS 7.6.2)."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from django.views.decorators.http import require_http_methods, require_safe

from authn.domain.id_token import Identity
from authn.domain.principal import Anonymous, Credential, Subject
from authn.models import CARD
from authn.ports import Advice
from authn.services import card_log_in, kept_forms, log_in, provider, sessions, sites
from authn.services.log_in import LogInCancelled, LogInRefused
from authn.sessions import SessionStore
from authn.web.forms import PostForm, allow_log_in_form
from authn.web.middleware import IS_KEPT, NOT_KEPT, RESUBMIT, drop_cookie, not_activity
from authn.web.step_up import KEPT, STEP_UP
from siths_portal.lib import clock, identity_providers
from siths_portal.lib.assurance import Level
from siths_portal.lib.http import rate_limits
from siths_portal.lib.monitoring.logging import current_request_id
from siths_portal.lib.pages import error_pages

_STARTS = rate_limits.MinuteBudget()
_CHOICE = "choice"
_CHOICE_SECONDS = 600
CANCELLED = "cancelled"
PROVIDER = "idp"
"""The field of the log-in form with the issuer identifier of the identity provider that the user chose, or CARD."""
OTHER_ADDRESS = "adress"
"""The query parameter of a user who pressed the button at another address of the site than its own."""

WHY = {
    sessions.IDLE: _("Du loggades ut eftersom du inte hade gjort något på en stund."),
    sessions.ABSOLUTE: _("Du loggades ut eftersom du hade varit inloggad så länge som en session får vara."),
    sessions.REPLACED: _(
        "Du loggades ut här eftersom du loggade in i en annan webbläsare. Var det inte du, kontakta supporten genast."
    ),
    sessions.ENDED_ELSEWHERE: _("Du loggades ut här från sidan Inställningar i en annan webbläsare."),
    sessions.ROLE_ENDED: _("Du loggades ut eftersom din behörighet har ändrats."),
    sessions.ENDED_BY_ADMINISTRATOR: _("SITHS-förvaltningen avslutade din inloggning. Kontakta supporten om du inte vet varför."),
    sessions.CARRIER_REVOKED: _(
        "Du loggades ut här eftersom du spärrade ett kort eller ett mobilt SITHS från en annan webbläsare."
    ),
    CANCELLED: _("Du avbröt inloggningen. Inget har ändrats."),
    OTHER_ADDRESS: _("Du öppnade sidan på en annan adress. Här är den rätta adressen: logga in här."),
}


_AGAIN = _("Du har legitimerat dig igen. Inget har ändrats än: kontrollera uppgifterna och skicka igen.")
_NOT_SENT = _("Du var utloggad när du skickade, så inget har ändrats. Kontrollera uppgifterna och skicka igen.")
_STILL_THERE = _("Du loggades ut innan du var klar. Det du skrev finns kvar här. Inget har ändrats.")


def own_path(value: str) -> str:
    """Returns `value` if it is a path of this site, else "/", so that no log-in redirects to another site."""
    fits = value.startswith("/") and "\\" not in value and len(value) <= 2000 and value.isprintable()
    return value if fits and url_has_allowed_host_and_scheme(value, allowed_hosts=None) else "/"


@not_activity
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """GET shows why the user must log in, with a button; POST redirects to the identity provider. Raises Unavailable.

    A logged-in user gets a link to `next` and no redirect: an automatic redirect would renew an idle session.

    429 beyond LOG_INS_PER_MINUTE_BY_ADDRESS and LOG_INS_PER_MINUTE, since each start by an anonymous client writes two rows,
    and beyond LOG_INS_PER_MINUTE_BY_SESSION for one browser.
    """
    given = request.POST if request.method == "POST" else request.GET
    next_path = own_path(given.get("next", "/"))
    if request.method == "POST":
        # The provider redirects to the site's own host name, so the session cookie must belong to that host.
        own = sites.here().base_url
        if request.get_host() != urlsplit(own).netloc:
            kept = {"next": next_path, OTHER_ADDRESS: "1"} | ({RESUBMIT: given[RESUBMIT]} if given.get(RESUBMIT) else {})
            return HttpResponseRedirect(f"{own}{reverse('login')}?{urlencode(kept)}")
        return _begin(request, next_path)
    user: Any = request.user
    if user.is_authenticated and request.session.get(STEP_UP, {}).get("path") != next_path:
        return _page(request, "logged_in", {"next": next_path})
    return _login_page(request, next_path, OTHER_ADDRESS if OTHER_ADDRESS in request.GET else "")


def _begin(request: HttpRequest, next_path: str) -> HttpResponse:
    store: SessionStore = request.session  # type: ignore[assignment]
    user: Any = request.user
    row = store.live_row
    if not user.is_authenticated and not _STARTS.take(
        settings.LOG_INS_PER_MINUTE, key=rate_limits.address(request), most_of_key=settings.LOG_INS_PER_MINUTE_BY_ADDRESS
    ):
        return error_pages.error_page(request, 429)
    if row is None:
        store = request.session = SessionStore()  # never with a key that the browser sent (S01)
        row = store.open()
    if resubmit := request.POST.get(RESUBMIT):
        store[RESUBMIT] = IS_KEPT if resubmit == IS_KEPT else NOT_KEPT
    chosen = request.POST.get(PROVIDER, "")
    if chosen == CARD and card_log_in.is_offered():
        url = card_log_in.begin(row.id, next_path, step_up=user.is_authenticated)
    else:
        url = log_in.begin(row.id, next_path, step_up=user.is_authenticated, issuer=chosen)
    response = HttpResponseRedirect(url)
    response.status_code = 303
    return response


def _login_page(request: HttpRequest, next_path: str, why: str = "", status: int = 200) -> HttpResponse:
    user: Any = request.user
    ended = why or getattr(user, "ended", "")
    providers = identity_providers.all_providers()
    context = {
        "why": gettext(WHY[ended]) if ended in WHY else "",
        "resubmit": "" if user.is_authenticated else request.GET.get(RESUBMIT) or request.session.get(RESUBMIT, ""),
        "next": next_path,
        "step_up": user.is_authenticated,
        "providers": providers,
        "other_providers": providers[1:],
        "card": CARD if card_log_in.is_offered() else "",
    }
    return allow_log_in_form(_page(request, "login", context, status=status))


def _page(request: HttpRequest, name: str, context: dict[str, object], *, status: int = 200) -> HttpResponse:
    """Renders a page of log-in from the templates of this site."""
    site = sites.here()
    return render(request, site.pages[name], {"page_frame": site.frame, "tab": "", **context}, status=status)


@login_not_required
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    """Handles the provider's callback: begins or renews the session, or shows the choice of HSA-id, or the page of refusals."""
    return _ended(request, log_in.complete)


@login_not_required
@require_safe
def card_callback(request: HttpRequest) -> HttpResponse:
    """Does the same for a log-in with the certificate of a card, which comes back with a ticket (rules/authn 1.5)."""
    return _ended(request, card_log_in.complete)


def _ended(request: HttpRequest, complete: Callable[[UUID | None, Mapping[str, str]], log_in.CompletedLogIn]) -> HttpResponse:
    store: SessionStore = request.session  # type: ignore[assignment]
    row = store.live_row
    session_id = row.id if row else None
    id_token = ""
    try:
        completed = complete(session_id, request.GET.dict())
        id_token = completed.log_in.id_token
        identity = completed.identity
        hsa_id = identity.hsa_id
        if completed.step_up and not hsa_id:
            hsa_id = request.user.hsa_id  # type: ignore[union-attr]  # the person chose it when the session began
        if not hsa_id and sites.here().by_hsa_id:
            options = log_in.choices(identity, session_id)
            if len(options) > 1:
                _keep_choice(store, completed)
                return HttpResponseRedirect(reverse("login_post"))
            hsa_id = options[0].hsa_id
        subject = log_in.subject_of(hsa_id, identity.person_id, identity.credential, session_id)
        return _enter(request, subject, completed.log_in, completed.next_path, step_up=completed.step_up)
    except LogInCancelled as cancelled:
        return _login_page(request, own_path(cancelled.next_path), CANCELLED)
    except LogInRefused as refused:
        return refusal(request, refused, id_token)


def _keep_choice(store: SessionStore, completed: log_in.CompletedLogIn) -> None:
    store[_CHOICE] = {
        "hsa_ids": list(completed.identity.hsa_ids),
        "person_id": completed.identity.person_id,
        "level": completed.identity.credential.level.value,
        "authenticated_at": completed.log_in.authenticated_at.timestamp(),
        "id_token": completed.log_in.id_token,
        "facts": completed.log_in.facts,
        "next": completed.next_path,
        "until": clock.now().timestamp() + _CHOICE_SECONDS,
    }


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def choose_post(request: HttpRequest) -> HttpResponse:
    """Lets the person choose one of several HSA-ids by the unit's name, if the provider did not offer the choice."""
    store: SessionStore = request.session  # type: ignore[assignment]
    kept = store.get(_CHOICE)
    if store.live_row is None or not kept or kept["until"] < clock.now().timestamp():
        return HttpResponseRedirect(reverse("login"))
    session_id, credential = store.live_row.id, Credential(Level(kept["level"]))
    try:
        options = log_in.choices(Identity("", tuple(kept["hsa_ids"]), kept["person_id"], credential), session_id)
        form = PostForm(options, request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid():
            when = dt.datetime.fromtimestamp(kept["authenticated_at"], dt.UTC)
            accepted = sessions.LogIn(when, kept["id_token"], kept["facts"])
            subject = log_in.subject_of(form.cleaned_data["post"], kept["person_id"], credential, session_id)
            return _enter(request, subject, accepted, kept["next"], step_up=False)
    except LogInRefused as refused:
        return refusal(request, refused, kept["id_token"])
    return render(request, "authn/choose_post.html", {"form": form, "tab": ""}, status=422 if form.errors else 200)


def _enter(request: HttpRequest, subject: Subject, accepted: sessions.LogIn, next_path: str, *, step_up: bool) -> HttpResponse:
    """Begins the session, or renews it at a step-up, with a new key. Raises LogInRefused if another person stepped up."""
    store: SessionStore = request.session  # type: ignore[assignment]
    row = store.live_row
    session_id = row.id if row else None
    if step_up and (row is None or row.subject_ref != subject.subject_ref):
        raise log_in.refused("step-up-other-person", None, session_id=session_id, status=403)
    # A second log-in in another tab of the same browser renews the session that the first one began.
    same = row is not None and (row.subject_ref, row.hsa_id) == (subject.subject_ref, subject.hsa_id)
    if row is not None and (step_up or same):
        renewed = sessions.renew(row.id, accepted, means=subject.means, credential_ref=subject.credential_ref)
        if renewed is None:
            return HttpResponseRedirect(f"{reverse('login')}?{urlencode({'next': next_path})}")
        store.adopt(*renewed)
        if store.pop(STEP_UP, {}).get("sent"):
            messages.warning(request, gettext(_AGAIN))
    else:
        resubmit = store.get(RESUBMIT)
        store.adopt(*sessions.start(subject, accepted, instead_of=session_id))
        kept = kept_forms.take(subject.subject_ref)
        if kept is not None:
            store[KEPT] = dict(zip(("path", "form"), kept, strict=True))
        if resubmit:
            messages.warning(request, gettext(_NOT_SENT if kept is None else _STILL_THERE))
    rotate_token(request)
    return HttpResponseRedirect(own_path(next_path))


def refusal(request: HttpRequest, refused: LogInRefused, id_token: str = "") -> HttpResponse:
    """Shows the same page for every refusal, without the reason. An identified person without access gets `no_access` instead.

    Whoever was logged in before still is, and is told so.
    """
    if refused.advice is not None:
        return no_access(request, refused.advice, id_token)
    user: Any = request.user
    context = {"request_id": current_request_id(), "logged_in": user.is_authenticated}
    return allow_log_in_form(_page(request, "refused", context, status=refused.status))


def no_access(request: HttpRequest, advice: Advice, id_token: str = "") -> HttpResponse:
    """403: shows a person without access what to do, and with `id_token` a form that logs out at the identity provider."""
    request.user = Anonymous()  # type: ignore[assignment]  # the page frame is that of an anonymous visitor
    context = {
        **_provider_log_out(id_token),
        "heading": advice.heading,
        "message": advice.message,
        "support": settings.SUPPORT_CONTACT,
    }
    return allow_log_in_form(_page(request, "no_access", context, status=403))


def _provider_log_out(id_token: str) -> dict[str, object]:
    """Returns the context of the form that logs out at the identity provider. An empty `endpoint` means no form."""
    issuer = identity_providers.of_token(id_token)
    return {
        "endpoint": provider.end_session_endpoint(issuer) if issuer else "",
        "id_token": id_token,
        "client_id": issuer.client_id if issuer else "",
        "logged_out_uri": provider.logged_out_uri(),
    }


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    """POST ends the site's session and offers to log out at the provider too. GET shows the page after a log-out."""
    id_token = ""
    user: Any = request.user
    if request.method == "POST" and user.is_authenticated:
        id_token = sessions.end(user.session_id, reason=sessions.LOGGED_OUT, actor_ref=user.subject_ref)
    elif user.is_authenticated:
        return HttpResponseRedirect("/")
    request.session = SessionStore()
    request.user = Anonymous()  # type: ignore[assignment]
    response = allow_log_in_form(_page(request, "logged_out", _provider_log_out(id_token)))
    if request.method == "POST":
        drop_cookie(response)
        # Not "cookies": browsers clear them for the whole registrable domain, including other services.
        response["Clear-Site-Data"] = '"cache", "storage"'
    return response
