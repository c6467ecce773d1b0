"""Log-in and log-out. Logging in takes the press of a button: no session begins silently (ASVS 7.6.2)."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from authn.domain.id_token import Identity
from authn.domain.principal import Anonymous, Subject
from authn.ports import Advice
from authn.services import kept_forms, log_in, provider, sessions
from authn.services.log_in import LogInCancelled, LogInRefused
from authn.sessions import SessionStore
from authn.web.forms import PostForm, let_forms_leave
from authn.web.middleware import IN_VAIN, IS_KEPT, RESUBMIT, drop_cookie, not_activity
from authn.web.step_up import KEPT, STEP_UP
from siths_portal.lib import clock
from siths_portal.lib.http import rate_limits
from siths_portal.lib.monitoring.logging import current_request_id
from siths_portal.lib.pages import error_pages

_STARTS = rate_limits.MinuteBudget()
_CHOICE = "choice"
_CHOICE_SECONDS = 600
CANCELLED = "cancelled"

WHY = {
    sessions.IDLE: "Du loggades ut eftersom portalen inte hade använts på en stund.",
    sessions.ABSOLUTE: "Du loggades ut eftersom du hade varit inloggad så länge som en session får vara.",
    sessions.REPLACED: (
        "Du loggades ut här eftersom du loggade in i en annan webbläsare. Var det inte du, kontakta supporten genast."
    ),
    sessions.ENDED_ELSEWHERE: "Du loggades ut här från sidan Inställningar i en annan webbläsare.",
    sessions.ROLE_ENDED: "Du loggades ut eftersom din behörighet har ändrats.",
    CANCELLED: "Du avbröt inloggningen. Inget har ändrats.",
}


_NOT_SENT = "Du var utloggad när du skickade, så inget har ändrats. Kontrollera uppgifterna och skicka igen."
_STILL_THERE = "Du loggades ut innan du var klar. Det du skrev finns kvar här. Inget har ändrats."


def own_path(value: str) -> str:
    """`value` if it is a path of this site; else the start page's. No log-in leads to another site."""
    fits = value.startswith("/") and "\\" not in value and len(value) <= 2000 and value.isprintable()
    return value if fits and url_has_allowed_host_and_scheme(value, allowed_hosts=None) else "/"


@not_activity
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """GET says why one has to log in and offers it; POST goes to the identity provider. Raises Unavailable if it is away.

    Somebody who is logged in gets a link to `next` and no redirect: a page that left by itself would renew an idle session.

    429 beyond LOG_INS_PER_MINUTE_BY_ADDRESS and LOG_INS_PER_MINUTE, since each start by a stranger is two rows.
    """
    given = request.POST if request.method == "POST" else request.GET
    next_path = own_path(given.get("next", "/"))
    if request.method == "POST":
        # The provider sends the browser to the portal's own name, where its cookie must be.
        if request.get_host() != urlsplit(settings.PORTAL_BASE_URL).netloc:
            kept = {"next": next_path} | ({RESUBMIT: given[RESUBMIT]} if given.get(RESUBMIT) else {})
            return HttpResponseRedirect(f"{settings.PORTAL_BASE_URL}{reverse('login')}?{urlencode(kept)}")
        return _begin(request, next_path)
    user: Any = request.user
    if user.is_authenticated and request.session.get(STEP_UP, {}).get("path") != next_path:
        return render(request, "authn/logged_in.html", {"next": next_path, "tab": ""})
    return _login_page(request, next_path)


def _begin(request: HttpRequest, next_path: str) -> HttpResponse:
    store: SessionStore = request.session  # type: ignore[assignment]
    user: Any = request.user
    row = store.live_row
    if not user.is_authenticated and not _STARTS.take(
        settings.LOG_INS_PER_MINUTE, key=rate_limits.address(request), most_of_key=settings.LOG_INS_PER_MINUTE_BY_ADDRESS
    ):
        return error_pages.error_page(request, 429)
    if row is None:
        store = request.session = SessionStore()  # never under a key that came from outside (S01)
        row = store.open()
    if resubmit := request.POST.get(RESUBMIT):
        store[RESUBMIT] = IS_KEPT if resubmit == IS_KEPT else IN_VAIN
    url = log_in.begin(row.id, next_path, step_up=user.is_authenticated)
    response = HttpResponseRedirect(url)
    response.status_code = 303
    return response


def _login_page(request: HttpRequest, next_path: str, why: str = "", status: int = 200) -> HttpResponse:
    user: Any = request.user
    ended = why or getattr(user, "ended", "")
    context = {
        "why": WHY.get(ended, ""),
        "resubmit": "" if user.is_authenticated else request.GET.get(RESUBMIT) or request.session.get(RESUBMIT, ""),
        "next": next_path,
        "step_up": user.is_authenticated,
        "issuer": settings.OIDC_ISSUER,
        "tab": "",
    }
    return let_forms_leave(render(request, "authn/login.html", context, status=status))


@login_not_required
@require_safe
def callback(request: HttpRequest) -> HttpResponse:
    """The provider's answer: a session with a new key, the choice of HSA-id, or one and the same page for every refusal."""
    store: SessionStore = request.session  # type: ignore[assignment]
    row = store.live_row
    session_id = row.id if row else None
    id_token = ""
    try:
        answered = log_in.answer(session_id, request.GET.dict())
        id_token = answered.log_in.id_token
        identity = answered.identity
        hsa_id = identity.hsa_id
        if answered.step_up and not hsa_id:
            hsa_id = request.user.hsa_id  # type: ignore[union-attr]  # who he is was chosen when the session began
        if not hsa_id:
            options = log_in.choices(identity, session_id)
            if len(options) > 1:
                _keep_choice(store, answered)
                return HttpResponseRedirect(reverse("login_post"))
            hsa_id = options[0].hsa_id
        subject = log_in.subject_of(hsa_id, identity.person_id, session_id)
        return _enter(request, subject, answered.log_in, answered.next_path, step_up=answered.step_up)
    except LogInCancelled as cancelled:
        return _login_page(request, own_path(cancelled.next_path), CANCELLED)
    except LogInRefused as refused:
        return refusal(request, refused, id_token)


def _keep_choice(store: SessionStore, answered: log_in.Answered) -> None:
    store[_CHOICE] = {
        "hsa_ids": list(answered.identity.hsa_ids),
        "person_id": answered.identity.person_id,
        "authenticated_at": answered.log_in.authenticated_at.timestamp(),
        "id_token": answered.log_in.id_token,
        "facts": answered.log_in.facts,
        "next": answered.next_path,
        "until": clock.now().timestamp() + _CHOICE_SECONDS,
    }


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def choose_post(request: HttpRequest) -> HttpResponse:
    """The person chooses one of several HSA-ids by the unit's name, when the provider left the choice to us."""
    store: SessionStore = request.session  # type: ignore[assignment]
    kept = store.get(_CHOICE)
    if store.live_row is None or not kept or kept["until"] < clock.now().timestamp():
        return HttpResponseRedirect(reverse("login"))
    session_id = store.live_row.id
    try:
        options = log_in.choices(Identity("", tuple(kept["hsa_ids"]), kept["person_id"]), session_id)
        form = PostForm(options, request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid():
            when = dt.datetime.fromtimestamp(kept["authenticated_at"], dt.UTC)
            accepted = sessions.LogIn(when, kept["id_token"], kept["facts"])
            subject = log_in.subject_of(form.cleaned_data["post"], kept["person_id"], session_id)
            return _enter(request, subject, accepted, kept["next"], step_up=False)
    except LogInRefused as refused:
        return refusal(request, refused, kept["id_token"])
    context = {"form": form, "tab": ""}
    return render(request, "authn/choose_post.html", context, status=422 if form.errors else 200)


def _enter(request: HttpRequest, subject: Subject, accepted: sessions.LogIn, next_path: str, *, step_up: bool) -> HttpResponse:
    """Begins the session, or renews it at a step-up, under a new key."""
    store: SessionStore = request.session  # type: ignore[assignment]
    row = store.live_row
    session_id = row.id if row else None
    if step_up and (row is None or row.subject_ref != subject.subject_ref):
        raise log_in.refused("step-up-other-person", None, session_id=session_id, status=403)
    # A second log-in in another tab of the same browser goes on with the session that the first one began.
    same = row is not None and (row.subject_ref, row.hsa_id) == (subject.subject_ref, subject.hsa_id)
    if row is not None and (step_up or same):
        renewed = sessions.renew(row.id, accepted)
        if renewed is None:
            return HttpResponseRedirect(f"{reverse('login')}?{urlencode({'next': next_path})}")
        store.adopt(*renewed)
        if store.pop(STEP_UP, {}).get("sent"):
            messages.warning(
                request, "Du har legitimerat dig igen. Inget har ändrats än: kontrollera uppgifterna och skicka igen."
            )
    else:
        resubmit = store.get(RESUBMIT)
        store.adopt(*sessions.start(subject, accepted, instead_of=session_id))
        kept = kept_forms.take(subject.subject_ref)
        if kept is not None:
            store[KEPT] = dict(zip(("path", "form"), kept, strict=True))
        if resubmit:
            messages.warning(request, _NOT_SENT if kept is None else _STILL_THERE)
    rotate_token(request)
    return HttpResponseRedirect(own_path(next_path))


def refusal(request: HttpRequest, refused: LogInRefused, id_token: str = "") -> HttpResponse:
    """What to do, and nothing about why: one and the same page for every refusal, but for who is proven and has no access."""
    if refused.advice is not None:
        return no_access(request, refused.advice, id_token)
    context = {"tab": "", "request_id": current_request_id()}
    return let_forms_leave(render(request, "authn/refused.html", context, status=refused.status))


def no_access(request: HttpRequest, advice: Advice, id_token: str = "") -> HttpResponse:
    """403: what a person without access can do, and the way out of the identity provider if the log-in's token is known."""
    request.user = Anonymous()  # type: ignore[assignment]  # the frame shows the page as to an anonymous visitor
    context = {
        **_log_out_there(id_token),
        "heading": advice.heading,
        "message": advice.message,
        "support": settings.SUPPORT_CONTACT,
        "tab": "",
    }
    return let_forms_leave(render(request, "authn/no_access.html", context, status=403))


def _log_out_there(id_token: str) -> dict[str, str]:
    """Returns what the form for a log-out at the identity provider needs. With an empty `endpoint` there is no form."""
    return {
        "endpoint": provider.end_session_endpoint() if id_token else "",
        "id_token": id_token,
        "client_id": settings.OIDC_CLIENT_ID,
        "logged_out_uri": provider.logged_out_uri(),
    }


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    """POST ends the session here, whatever the provider does, and offers to end it there too; GET is the page after that."""
    id_token = ""
    user: Any = request.user
    if request.method == "POST" and user.is_authenticated:
        id_token = sessions.end(user.session_id, reason=sessions.LOGGED_OUT, actor_ref=user.subject_ref)
    elif user.is_authenticated:
        return HttpResponseRedirect("/")
    request.session = SessionStore()
    request.user = Anonymous()  # type: ignore[assignment]
    response = let_forms_leave(render(request, "authn/logged_out.html", {**_log_out_there(id_token), "tab": ""}))
    if request.method == "POST":
        drop_cookie(response)
        # Not "cookies": browsers apply it to the whole registrable domain, with other services' cookies.
        response["Clear-Site-Data"] = '"cache", "storage"'
    return response
