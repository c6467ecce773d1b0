"""S01, S05, S16, S20: step-up, what a form keeps, log-out, own sessions, and what a request from elsewhere cannot do."""

import datetime as dt
import json
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django import forms
from django.conf import settings as live_settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from authn.models import Event, Session
from authn.web import kept_form, require_recent_login
from issuance.people.models.persons import Person
from siths_portal.lib import clock
from siths_portal.wiring import urls_portal
from tests.authn.hostile import Provider
from tests.authn.test_hostile_provider import FORM, Browser, browser, op
from tests.portal import portal_client, sign_in
from tests.pressing import MAIN

__all__ = ["browser", "op"]
pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)
DONE: list[str] = []


class NoteForm(forms.Form):
    text = forms.CharField()


def fresh(request: HttpRequest) -> HttpResponse:
    """An act that needs a log-in of this hour, with a form."""
    if answer := require_recent_login(request, HOUR):
        return answer
    if request.method == "POST":
        DONE.append(request.POST["text"])
        return HttpResponse("done")
    return HttpResponse(str(NoteForm(initial=(kept_form(request) or {}))))


def at_once(request: HttpRequest) -> HttpResponse:
    return require_recent_login(request, dt.timedelta(0)) or HttpResponse("done")


class Urls:
    urlpatterns = [path("farskt/", fresh), path("nu/", at_once), *urls_portal.urlpatterns]


@pytest.fixture(autouse=True)
def _urls() -> Iterator[None]:
    DONE.clear()
    with override_settings(ROOT_URLCONF=Urls):
        yield


def age(client: Client, **span: float) -> None:
    """Makes the client's log-in older, as if it had been used all the time."""
    Session.objects.filter(end_reason="").update(authenticated_at=clock.now() - dt.timedelta(**span))


def test_a_recent_log_in_is_enough(browser: Browser) -> None:
    browser.log_in()
    assert browser.client.post("/farskt/", {"text": "ett"}).content == b"done"
    assert browser.client.get("/nu/").content == b"done"


def test_an_old_log_in_is_renewed_under_a_new_key_and_the_form_is_kept(browser: Browser) -> None:
    browser.log_in()
    client = browser.client
    old_key = client.cookies[live_settings.SESSION_COOKIE_NAME].value
    before = Session.objects.get(end_reason="")
    age(client, hours=2)
    answer = client.post("/farskt/", {"text": "Provs text"})
    assert (answer.status_code, answer["Location"], DONE) == (302, "/logga-in/?next=%2Ffarskt%2F", [])
    page = client.get(answer["Location"]).content.decode()
    assert "<h1>Legitimera dig igen</h1>" in page
    asked = browser.begin(next="/farskt/")
    answer = browser.back(asked)
    assert (answer.status_code, answer["Location"]) == (302, "/farskt/")
    # S01: another key, the old one is dead; the session is the same, so that what belongs to it stays.
    assert client.cookies[live_settings.SESSION_COOKIE_NAME].value != old_key
    thief = Client()
    thief.cookies[live_settings.SESSION_COOKIE_NAME] = old_key
    assert thief.get("/installningar/").status_code == 302
    after = Session.objects.get(end_reason="")
    assert (after.pk, after.expires_at) == (before.pk, before.expires_at)
    assert Event.objects.filter(action="session.renewed", subject_ref=str(after.pk)).count() == 1
    shown = client.get("/farskt/")
    assert 'value="Provs text"' in shown.content.decode()
    assert "kontrollera uppgifterna och skicka igen" in str(next(iter(shown.wsgi_request._messages)))
    assert "Provs text" not in client.get("/farskt/").content.decode(), "kept once"
    assert client.post("/farskt/", {"text": "Provs text"}).content == b"done"
    assert DONE == ["Provs text"]


def test_the_provider_is_asked_to_authenticate_anew(browser: Browser) -> None:
    browser.log_in()
    age(browser.client, hours=2)
    browser.client.get("/farskt/")
    asked = browser.begin(next="/farskt/")
    assert (asked["prompt"], asked["max_age"]) == ("login", "0")


def test_a_step_up_with_an_old_authentication_is_refused_and_the_session_stays_as_it_was(browser: Browser, op: Provider) -> None:
    """S05."""
    browser.log_in()
    age(browser.client, hours=2)
    browser.client.post("/farskt/", {"text": "x"})
    asked = browser.begin(next="/farskt/")
    op.claims["auth_time"] = int(time.time()) - 200
    assert browser.back(asked).status_code == 400
    assert Event.objects.get(action="login.refused").facts["reason"] == "token-auth-time"
    assert browser.client.get("/installningar/").status_code == 200
    assert browser.client.post("/farskt/", {"text": "x"}).status_code == 302
    assert DONE == []


def test_a_step_up_by_another_person_is_refused(browser: Browser, world: Any) -> None:
    browser.log_in()
    from issuance.authz import Role

    other = Person.objects.get(pk=world.officer(role=Role.READER).person_id)
    age(browser.client, hours=2)
    browser.client.get("/farskt/")
    browser.hsa_id, browser.number = other.posts.get().hsa_id, other.identifiers.get(valid_to=None).value
    assert browser.back(browser.begin(next="/farskt/")).status_code == 403
    assert Event.objects.get(action="login.refused").facts["reason"] == "step-up-other-person"
    assert Session.objects.get(end_reason="").subject_ref != f"user:{other.pk}"


def test_who_cancels_a_step_up_is_still_logged_in(browser: Browser) -> None:
    browser.log_in()
    age(browser.client, hours=2)
    browser.client.get("/farskt/")
    answer = browser.back(browser.begin(next="/farskt/"), code=None, error="access_denied")
    assert "Du avbröt inloggningen" in answer.content.decode()
    assert browser.client.get("/installningar/").status_code == 200


def test_at_once_means_within_minutes(browser: Browser) -> None:
    browser.log_in()
    age(browser.client, minutes=6)
    assert browser.client.get("/nu/")["Location"] == "/logga-in/?next=%2Fnu%2F"


# --- expired sessions and where one comes back to ---------------------------------------------------------------------------


def test_a_form_sent_after_the_session_ended_changes_nothing_and_says_what_to_do(browser: Browser) -> None:
    browser.log_in()
    Session.objects.update(last_seen_at=clock.now() - dt.timedelta(minutes=16))
    answer = browser.client.post("/farskt/", {"text": "x"} | MAIN)  # as a form with files is sent, which is not kept
    assert (answer.status_code, answer["Location"], DONE) == (302, "/logga-in/?next=%2Ffarskt%2F&skickat=1", [])
    page = browser.client.get(answer["Location"]).content.decode()
    assert "inte hade gjort något" in page
    assert "uppgifterna sparades inte" in page
    hidden = dict(re.findall(r'<input type="hidden" name="(next|skickat)" value="([^"]*)"', page))
    assert hidden == {"next": "/farskt/", "skickat": "1"}
    asked = browser.begin(**hidden)
    assert browser.back(asked)["Location"] == "/farskt/"
    said = [str(message) for message in browser.client.get("/farskt/").wsgi_request._messages]
    assert said == ["Du var utloggad när du skickade, så inget har ändrats. Kontrollera uppgifterna och skicka igen."]


def test_an_htmx_request_after_the_end_takes_the_whole_page_to_the_log_in(browser: Browser) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/sok/?a=1"}
    answer = browser.client.get("/farskt/", headers=headers)
    assert (answer.status_code, answer["HX-Redirect"]) == (200, "/logga-in/?next=%2Fsok%2F%3Fa%3D1")


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example.org/",
        "//evil.example.org/",
        "/\\evil.example.org",
        "javascript:alert(1)",
        "/%0d%0aSet-Cookie:a=b\n",
        "",
    ],
)
def test_a_log_in_leads_to_no_other_site(wanted: str, browser: Browser) -> None:
    asked = browser.begin(next=wanted)
    assert browser.back(asked)["Location"] == "/"
    page = portal_client(Person.objects.get(posts__hsa_id=browser.hsa_id)).get("/logga-in/", {"next": wanted})
    assert page.status_code == 200
    assert '<a class="ds-button" href="/">Gå till sidan</a>' in page.content.decode()


def test_a_log_in_from_another_name_of_the_portal_goes_on_under_its_own(op: Provider, world: Any, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
    answer = Client().post("/logga-in/", "next=/farskt/&gor=utfor", content_type=FORM, headers={"Host": "127.0.0.1"})
    assert answer["Location"] == "http://testserver/logga-in/?next=%2Ffarskt%2F&adress=1"


# --- log-out and own sessions -----------------------------------------------------------------------------------------------


def test_log_out_ends_the_session_and_clears_what_the_browser_keeps(browser: Browser, op: Provider) -> None:
    op.metadata_changes = {"end_session_endpoint": f"{op.issuer}/logout"}
    browser.log_in()
    key = browser.client.cookies[live_settings.SESSION_COOKIE_NAME].value
    answer = browser.client.post("/logga-ut/")
    assert answer["Clear-Site-Data"] == '"cache", "storage"'
    assert answer["Cache-Control"] == "no-store"
    assert answer.cookies[live_settings.SESSION_COOKIE_NAME]["max-age"] == 0
    page = answer.content.decode()
    assert 'name="id_token_hint" value="ey' in page, "the hint goes in a form's body, never in an address"
    assert op.issuer in answer["Content-Security-Policy"]
    thief = Client()
    thief.cookies[live_settings.SESSION_COOKIE_NAME] = key
    assert thief.get("/installningar/").status_code == 302
    row = Session.objects.get(end_reason="logged-out")
    assert (row.id_token, row.data) == ("", "")
    assert Event.objects.get(action="session.ended").facts["reason"] == "logged-out"


def test_a_provider_that_is_away_keeps_nobody_logged_in(browser: Browser, op: Provider) -> None:
    from authn.services import provider as relying_party

    browser.log_in()
    relying_party.forget()
    op.status = 500
    answer = browser.client.post("/logga-ut/")
    assert (answer.status_code, "Du är utloggad" in answer.content.decode()) == (200, True)
    assert browser.client.get("/installningar/").status_code == 302


def test_no_get_logs_anybody_in_or_out(browser: Browser) -> None:
    browser.log_in()
    sessions = list(Session.objects.order_by("id").values())
    assert browser.client.get("/logga-ut/").status_code == 302
    assert Client().get("/logga-ut/").status_code == 200
    assert Client().get("/logga-in/").status_code == 200
    assert list(Session.objects.order_by("id").values()) == sessions


@pytest.mark.parametrize("address", ["/logga-in/", "/logga-ut/", "/installningar/", "/logga-in/fortsatt/", "/logga-in/uppdrag/"])
def test_no_form_is_taken_without_its_token_or_from_elsewhere(address: str, browser: Browser, settings: Any) -> None:
    """S16."""
    person = Person.objects.get(posts__hsa_id=browser.hsa_id)
    client = sign_in(Client(enforce_csrf_checks=True), person)
    client.get("/installningar/")
    token = client.cookies[settings.CSRF_COOKIE_NAME].value
    before = list(Session.objects.values())
    attempts = [
        client.post(address, urlencode({"a": "b"}), content_type=FORM),
        client.post(address, urlencode({"csrfmiddlewaretoken": "x" * 64}), content_type=FORM),
        client.post(
            address, urlencode({"csrfmiddlewaretoken": token}), content_type=FORM, headers={"Origin": "https://evil.example.org"}
        ),
        client.post(address, urlencode({"csrfmiddlewaretoken": token}), content_type=FORM, headers={"Origin": "null"}),
        client.post(address, json.dumps({"csrfmiddlewaretoken": token}), content_type="text/plain"),
    ]
    assert [answer.status_code for answer in attempts] == [403] * 5
    assert list(Session.objects.values()) == before


def test_own_sessions_are_listed_and_another_one_can_be_ended(browser: Browser, settings: Any) -> None:
    settings.SESSIONS_PER_SUBJECT = 3
    person = Person.objects.get(posts__hsa_id=browser.hsa_id)
    here, there = portal_client(person), portal_client(person)
    other = Session.objects.order_by("created_at").last()
    assert other is not None
    page = here.get("/installningar/").content.decode()
    assert page.count("Den här webbläsaren") == 1
    assert str(other.pk) in page
    answer = here.post("/installningar/", {"session": str(other.pk)}, follow=True)
    assert "Den andra inloggningen är avslutad." in answer.content.decode()
    assert there.get("/installningar/").status_code == 302
    assert "från sidan Inställningar" in there.get("/logga-in/").content.decode()
    assert here.get("/installningar/").status_code == 200


@pytest.mark.parametrize("session", ["", "x", "own", "00000000-0000-7000-8000-000000000000", "somebody's"])
def test_only_ones_own_other_sessions_can_be_ended(session: str, browser: Browser, world: Any) -> None:
    from issuance.authz import Role

    person = Person.objects.get(posts__hsa_id=browser.hsa_id)
    somebody = Person.objects.get(pk=world.officer(role=Role.READER).person_id)
    client, other = portal_client(person), portal_client(somebody)
    rows = {"own": person, "somebody's": somebody}
    value = str(Session.objects.get(subject_ref=f"user:{rows[session].pk}").pk) if session in rows else session
    answer = client.post("/installningar/", {"session": value}, follow=True)
    assert answer.status_code == 200
    assert client.get("/installningar/").status_code == other.get("/installningar/").status_code == 200


def test_the_pages_are_told_how_long_the_session_lasts_and_asking_is_no_use(browser: Browser) -> None:
    browser.log_in()
    used = Session.objects.get(end_reason="").last_seen_at
    with clock.moved_to(used + dt.timedelta(minutes=10)):
        told = browser.client.get("/logga-in/tid/").json()
        assert told == {"seconds_left": 300, "extendable": True}
        assert browser.client.post("/logga-in/fortsatt/").json()["seconds_left"] == 900
    with clock.moved_to(used + dt.timedelta(minutes=24)):
        assert browser.client.get("/logga-in/tid/").status_code == 200
    with clock.moved_to(used + dt.timedelta(minutes=26)):
        assert browser.client.get("/logga-in/tid/").status_code == 302


def test_near_the_absolute_end_the_page_says_that_going_on_is_no_use(browser: Browser) -> None:
    browser.log_in()
    moment = clock.now()
    Session.objects.update(expires_at=moment + dt.timedelta(seconds=100))
    with clock.moved_to(moment):
        assert browser.client.post("/logga-in/fortsatt/").json() == {"seconds_left": 100, "extendable": False}


@pytest.mark.parametrize("face", ["portal", "minasidor"])
def test_a_cookie_in_production_is_bound_to_the_host(face: str, tmp_path: Any, django_db_setup: None) -> None:
    """S19."""
    import os
    import subprocess
    import sys

    from siths_portal.dev.checks import PRODUCTION

    asked = (
        "from django.conf import settings as s; print(s.SESSION_COOKIE_NAME, s.SESSION_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY, "
        "s.SESSION_COOKIE_SAMESITE, s.SESSION_COOKIE_DOMAIN, s.SESSION_COOKIE_PATH, s.CSRF_COOKIE_NAME, s.LANGUAGE_COOKIE_NAME)"
    )
    env = os.environ | PRODUCTION | {"SITHS_VAR_DIR": str(tmp_path), "PORT_BASE": "8000", "SITHS_FACE": face}
    done = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); {asked}"],
        env=env | {"DJANGO_SETTINGS_MODULE": "siths_portal.settings"}, cwd=live_settings.BASE_DIR, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == [
        f"__Host-{face}-session-8000", "True", "True", "Lax", "None", "/", f"__Host-{face}-csrf-8000",
        f"__Host-{face}-language-8000",
    ], done.stderr  # fmt: skip


def test_only_pages_with_a_log_in_form_let_a_form_leave(browser: Browser, op: Provider) -> None:
    """S17. Browsers apply form-action to the redirects that follow a form."""

    def leads_to(answer: Any) -> set[str]:
        policy = {part.split()[0]: set(part.split()[1:]) for part in answer["Content-Security-Policy"].split("; ")}
        return policy["form-action"]

    out = {"'self'", op.issuer, live_settings.LOGIN_BASE_URL, "http://testserver"}
    assert leads_to(Client().get("/")) == leads_to(Client().get("/logga-in/")) == out
    assert leads_to(Client().get("/logga-in/svar/?state=x")) == out
    assert leads_to(Client().get("/tillganglighet/")) == {"'self'"}
    browser.log_in()
    assert leads_to(browser.client.get("/installningar/")) == {"'self'"}
