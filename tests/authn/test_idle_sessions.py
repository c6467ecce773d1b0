"""An idle session ends when the server says so, and what was being filled in is there after the next log-in (docs/adr/0070)."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings as live_settings
from django.test import Client, override_settings

from authn.models import KeptForm, Session
from authn.services import kept_forms, sessions
from issuance.people.models.persons import Person
from siths_portal.lib import clock
from tests.authn.test_hostile_provider import FORM, Browser, browser, op
from tests.authn.test_step_up import DONE, Urls
from tests.pressing import MAIN

__all__ = ["browser", "op"]
pytestmark = pytest.mark.django_db(transaction=True)
TYPED = "Provs text"


@pytest.fixture(autouse=True)
def _urls() -> Iterator[None]:
    DONE.clear()
    with override_settings(ROOT_URLCONF=Urls):
        yield


def idle(**span: float) -> dt.datetime:
    """Makes the live session unused for so long; returns when it was used last."""
    used = clock.now() - dt.timedelta(**span)
    assert Session.objects.filter(end_reason="").exclude(subject_ref="").update(last_seen_at=used) == 1
    return used


def send(client: Client, **fields: str) -> Any:
    return client.post("/farskt/", urlencode({"text": TYPED, **MAIN, **fields}), content_type=FORM)


def test_opening_the_log_in_page_is_no_activity_and_leads_nowhere_by_itself(browser: Browser) -> None:
    browser.log_in()
    used = idle(seconds=live_settings.SESSION_IDLE_SECONDS - 60)
    page = browser.client.get("/logga-in/", {"next": "/installningar/"})
    assert page.status_code == 200
    assert '<a class="ds-button" href="/installningar/">' in page.content.decode()
    assert browser.client.get("/logga-in/tid/").json()["seconds_left"] in range(50, 61)
    assert Session.objects.exclude(subject_ref="").get().last_seen_at == used


def test_a_browser_is_never_told_that_a_live_session_has_no_time_left(browser: Browser) -> None:
    """Rounded down, the page left for the log-in page while the session lived, which counted as use."""
    browser.log_in()
    now = clock.now()
    Session.objects.exclude(subject_ref="").update(last_seen_at=now)
    with clock.moved_to(now + dt.timedelta(seconds=live_settings.SESSION_IDLE_SECONDS - 0.4)):
        assert browser.client.get("/logga-in/tid/").json()["seconds_left"] == 1
    with clock.moved_to(now + dt.timedelta(seconds=live_settings.SESSION_IDLE_SECONDS)):
        assert browser.client.get("/logga-in/tid/").status_code == 302


def test_what_was_typed_survives_the_end_of_the_session(browser: Browser) -> None:
    browser.log_in()
    idle(minutes=16)
    answer = send(browser.client)
    assert answer["Location"] == "/logga-in/?next=%2Ffarskt%2F&skickat=kvar"
    assert DONE == []
    assert "Det du skrev finns kvar" in browser.client.get(answer["Location"]).content.decode()
    asked = browser.begin(next="/farskt/", skickat="kvar")
    assert browser.back(asked)["Location"] == "/farskt/"
    page = browser.client.get("/farskt/")
    assert f'value="{TYPED}"' in page.content.decode()
    assert DONE == [], "nothing is carried out by itself"
    assert not KeptForm.objects.exists()
    assert TYPED not in browser.client.get("/farskt/").content.decode(), "shown once"


def test_nobody_else_at_the_computer_sees_it(browser: Browser, op: Any, world: Any) -> None:
    from issuance.authz import Role

    browser.log_in()
    idle(minutes=16)
    send(browser.client)
    another = Browser(op, Person.objects.get(pk=world.officer(world.region, Role.READER).person_id))
    another.client = browser.client
    another.back(another.begin(next="/farskt/"))
    assert TYPED not in another.client.get("/farskt/").content.decode()


@pytest.mark.parametrize("reason", [sessions.LOGGED_OUT, sessions.ROLE_ENDED, sessions.ENDED_ELSEWHERE])
def test_it_is_gone_when_somebody_ended_the_session(browser: Browser, reason: str) -> None:
    browser.log_in()
    row = Session.objects.exclude(subject_ref="").get()
    kept_forms.keep(row.subject_ref, "/farskt/", "text=a")
    sessions.end(row.pk, reason=reason, actor_ref="person:x")
    assert not KeptForm.objects.exists()
    send(browser.client)
    assert not KeptForm.objects.exists(), "an ended session keeps nothing any more"


def test_it_is_gone_after_two_hours(browser: Browser) -> None:
    browser.log_in()
    idle(minutes=16)
    send(browser.client)
    with clock.moved_to(clock.now() + kept_forms.KEPT_FOR):
        sessions.sweep()
        assert not KeptForm.objects.exists()


def test_only_a_small_form_from_our_own_page_is_kept(browser: Browser) -> None:
    browser.log_in()
    idle(minutes=16)
    send(browser.client, more="x" * kept_forms.LONGEST)
    browser.client.post("/farskt/", {"text": TYPED} | MAIN)  # as a form with files is sent
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.client.cookies
    send(strict)
    send(Client())
    assert not KeptForm.objects.exists()
