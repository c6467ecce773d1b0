"""A person's session in the portal: whose a request is, how a session ends, and what its browser is told."""

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.messages import info
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from authn.models import Event, Session
from authn.services import sessions
from authn.web.middleware import not_activity
from issuance.people.models.persons import Person
from siths_portal.lib import clock
from siths_portal.wiring import urls_portal
from tests.lib.faces import serving
from tests.portal import portal_client, session_key, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


def whoami(request: HttpRequest) -> HttpResponse:
    roles = [grant.role.value for grant in request.actor.grants]
    return HttpResponse(f"{request.user.display_name} ({request.user.unit_name}) {request.actor.ref} {roles}")


@not_activity
def poll(request: HttpRequest) -> HttpResponse:
    return HttpResponse("polled")


def note(request: HttpRequest) -> HttpResponse:
    info(request, "Något hände")
    return HttpResponse("noted")


@login_not_required
def public(request: HttpRequest) -> HttpResponse:
    return HttpResponse("public")


class Urls:
    urlpatterns = [
        path("jag/", whoami), path("fraga/", poll), path("anteckna/", note), path("oppen/", public), *urls_portal.urlpatterns,
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def _urls() -> Any:
    with override_settings(ROOT_URLCONF=Urls):
        yield


@pytest.fixture
def clerk(world: Any) -> Person:
    actor = world.officer()
    return Person.objects.get(pk=actor.person_id)


def later(minutes: float) -> Any:
    return clock.moved_to(clock.now() + dt.timedelta(minutes=minutes))


def test_a_guarded_page_knows_the_person_and_the_roles_of_now(clerk: Person) -> None:
    answer = portal_client(clerk).get("/jag/")
    assert answer.content.decode() == f"{clerk.given_name_in_use} {clerk.surname} (Regionen) user:{clerk.pk} ['id_administrator']"


def test_nobody_is_sent_to_the_log_in_and_back(world: Any) -> None:
    answer = Client().get("/jag/?sida=2")
    assert (answer.status_code, answer["Location"]) == (302, "/logga-in/?next=%2Fjag%2F%3Fsida%3D2")
    assert Client().get("/oppen/").content == b"public"
    assert settings.SESSION_COOKIE_NAME not in answer.cookies


@pytest.mark.parametrize(("minutes", "ended"), [(14, False), (16, True)])
def test_an_idle_session_ends_and_the_browser_is_told_why(clerk: Person, minutes: float, ended: bool) -> None:
    client = portal_client(clerk)
    with later(minutes):
        answer = client.get("/jag/")
        assert answer.status_code == (302 if ended else 200)
        assert ("inte hade gjort något" in client.get("/logga-in/").content.decode()) == ended


def test_use_keeps_a_session_until_its_absolute_end(clerk: Person) -> None:
    client = portal_client(clerk)
    for minutes in range(10, 480, 10):
        with later(minutes):
            assert client.get("/jag/").status_code == 200
    with later(481):
        assert client.get("/jag/").status_code == 302
        assert "så länge som en session får vara" in client.get("/logga-in/").content.decode()


def test_what_a_page_asks_by_itself_keeps_nobody_logged_in(clerk: Person) -> None:
    client = portal_client(clerk)
    for minutes in (5, 10, 14):
        with later(minutes):
            assert client.get("/fraga/").status_code == 200
    with later(16):
        assert client.get("/fraga/").status_code == 302


def test_the_proxys_question_before_an_upload_is_answered_by_the_live_session_and_is_no_activity(clerk: Person) -> None:
    client = portal_client(clerk)
    for minutes in (5, 10, 14):
        with later(minutes):
            assert client.get("/logga-in/uppladdning/").status_code == 204
    with later(16):
        answer = client.get("/logga-in/uppladdning/", headers={"X-Original-URI": "/administrera/import/?a=b"})
        assert answer.status_code == 401
        assert answer["Location"] == client.post("/administrera/import/?a=b", {"text": "x" * 100_000})["Location"]


def test_a_new_log_in_ends_the_older_and_its_browser_is_told_why(clerk: Person) -> None:
    older, newer = portal_client(clerk), portal_client(clerk)
    assert older.get("/jag/").status_code == 302
    assert "loggade in i en annan webbläsare" in older.get("/logga-in/").content.decode()
    assert newer.get("/jag/").status_code == 200
    ended = Event.objects.get(action="session.ended")
    assert ended.facts == {"reason": "replaced", "subject": f"user:{clerk.pk}"}


def test_a_setting_lets_a_person_have_more_sessions(clerk: Person, settings: Any) -> None:
    settings.SESSIONS_PER_SUBJECT = 2
    first, second, third = (portal_client(clerk) for _ in range(3))
    assert [client.get("/jag/").status_code for client in (first, second, third)] == [302, 200, 200]


def test_the_last_role_that_ends_ends_the_session_on_the_very_next_request(clerk: Person) -> None:
    """S06, where the role ran out by itself."""
    client = portal_client(clerk)
    clerk.role_grants.update(valid_to=clock.now())
    answer = client.get("/jag/")
    assert (answer.status_code, "ingen roll i portalen" in answer.content.decode()) == (403, True)
    assert Session.objects.get().end_reason == "role-ended"
    again = client.get("/jag/")
    assert (again.status_code, "Din behörighet har ändrats" in again.content.decode()) == (403, True)
    assert again.cookies[settings.SESSION_COOKIE_NAME]["max-age"] == 0


def test_a_key_that_somebody_else_chose_is_not_taken_over(clerk: Person) -> None:
    """S01: what a session's content is written under is always a key of our own."""
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = "0123456789abcdef0123456789abcdef"
    assert client.get("/jag/").status_code == 302
    client.post("/jag/", {"a": "b"})
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("name", ["subject_ref", "hsa_id"])
def test_who_writes_the_table_does_not_become_another_person(clerk: Person, name: str) -> None:
    client, other = portal_client(clerk), "user:0192a0b0-0000-7000-8000-000000000000"
    assert client.get("/jag/").status_code == 200
    Session.objects.update(**{name: other[:31] if name == "hsa_id" else other})
    answer = client.get("/jag/")
    assert (answer.status_code, answer["Location"].startswith("/logga-in/")) == (302, True)


def test_a_copied_session_opens_nothing_under_another_key(clerk: Person) -> None:
    signed_in, key = session_key(clerk), sessions.new_key()
    row = Session.objects.get()
    values = {"key_hash": sessions.key_hash(key), "id": uuid.uuid4()}
    Session.objects.create(**{field.attname: getattr(row, field.attname) for field in Session._meta.fields} | values)
    assert (sessions.find(signed_in), sessions.find(key)) == (row, None)  # another row's binding does not fit


def test_the_table_holds_no_key_that_opens_a_session(clerk: Person) -> None:
    key = session_key(clerk)
    row = Session.objects.get()
    assert key not in {str(value) for value in vars(row).values()}
    assert row.key_hash == sessions.key_hash(key)


def test_content_is_kept_and_dies_with_the_session(clerk: Person) -> None:
    client = sign_in(Client(), clerk)
    client.get("/anteckna/")
    assert [str(message) for message in client.get("/jag/").wsgi_request._messages] == ["Något hände"]
    sessions.end_sessions(f"user:{clerk.pk}", reason="role-ended")
    row = Session.objects.get()
    assert (row.data, row.id_token, row.end_reason) == ("", "", "role-ended")


def test_the_sweeper_writes_the_end_that_nobody_was_there_to_see(clerk: Person) -> None:
    session_key(clerk)
    assert sessions.sweep() == 0
    with later(16):
        assert sessions.sweep() == 1
        assert sessions.sweep() == 0
    assert Event.objects.get(action="session.ended").facts["reason"] == "idle"
    with later(60 * 24 * 8):
        sessions.sweep()
    assert not Session.objects.exists()


def test_a_request_costs_one_query_for_the_session_and_one_for_the_roles(clerk: Person, django_assert_num_queries: Any) -> None:
    client = portal_client(clerk)
    with django_assert_num_queries(2):
        client.get("/jag/")
    with django_assert_num_queries(0):
        Client().get("/oppen/")


def test_a_database_that_is_away_is_503_and_not_a_log_in_page(tmp_path: Path) -> None:
    with serving("portal", tmp_path / "log", DATABASE_URL="postgres://siths_app@/nowhere?host=/nonexistent") as url:
        cookie = {settings.SESSION_COOKIE_NAME: "a" * 64}
        guarded = requests.get(f"{url}/installningar/", cookies=cookie, timeout=60, allow_redirects=False)
        public = requests.get(f"{url}/tillganglighet/", timeout=60)
    assert (guarded.status_code, "Retry-After" in guarded.headers) == (503, True)
    assert "Inget har ändrats" in guarded.text
    assert public.status_code == 200
    assert "nonexistent" not in (tmp_path / "log").read_text()


def test_log_ins_at_the_same_moment_leave_one_session(clerk: Person) -> None:
    with ThreadPoolExecutor(4) as pool:
        keys = list(pool.map(lambda _: in_thread(clerk), range(4)))
    assert len(set(keys)) == 4
    assert sessions.live().count() == 1


def in_thread(person: Person) -> str:
    try:
        return session_key(person)
    finally:
        connection.close()
