"""Requests of tests that name somebody are found, wherever the name stands, and ids are not."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from playwright.sync_api import Browser

from siths_portal.demo import people
from siths_portal.lib.ids import new_id
from tests import personal_addresses
from tests.browser import browser, page_at
from tests.lib.faces import serving

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.personal_addresses


@pytest.fixture(autouse=True)
def _from_nothing() -> Iterator[None]:
    """What a test before has sent is not this one's, nor the other way round."""
    personal_addresses.found()
    yield
    personal_addresses.found()


@login_not_required
def view(request: HttpRequest, what: str) -> HttpResponse:
    titles = {"titel": "Elva Tolvansson", "lang": "x" * 200}
    response = HttpResponse(f"<!doctype html><title>{titles.get(what, 'Sidan')}</title>{'<p>text</p>' * 200}")
    if what == "vidare":
        response.status_code, response.headers["Location"] = 302, "/plats/?pnr=18900101-9802"
    if what == "fil":
        response.headers["Content-Disposition"] = "inline; filename*=UTF-8''kvittens%20Provsson.pdf"
    if what == "htmx":
        response.headers["HX-Push-Url"] = "/sok/TST2321000131-A1B2/"
    return response


urlpatterns = [path("sida/<str:what>/", view)]


@pytest.mark.parametrize(
    ("address", "headers", "place"),
    [
        ("/sida/189001019802/", {}, "path"),
        ("/sida/x/?q=18900101-9802", {}, "query"),
        ("/sida/x/?q=900101%252D9802", {}, "query"),
        ("/sida/x/?namn=elva+tolvansson", {}, "query"),
        ("/sida/x/?hsa=tst2321000131-a1b2", {}, "query"),
        ("/sida/x/?kort=9752%200000%200000%200000%20017", {}, "query"),
        ("/sida/x/", {"Referer": "http://testserver/sok/?q=Provsson"}, "HTTP_REFERER"),
        ("/sida/x/", {"HX-Current-URL": "http://testserver/sok/?q=Provsson"}, "HTTP_HX_CURRENT_URL"),
        ("/sida/titel/", {}, "title"),
        ("/sida/titel/", {"Accept-Encoding": "gzip"}, "title"),
        ("/sida/vidare/", {}, "Location"),
        ("/sida/fil/", {}, "Content-Disposition"),
        ("/sida/htmx/", {}, "HX-Push-Url"),
        ("/finns/inte/Provsson/", {}, "path"),
        ("/sida/x/?manad=2023-04&efter=" + "9" * 40, {}, ""),
        (f"/sida/x/?efter={2**63 - 1}&antal={2**63}", {}, ""),
        ("/sida/x/?nr=2023-000002&org=2321000131", {}, ""),
        ("/sida/lang/", {}, ""),
    ],
)
@override_settings(ROOT_URLCONF=__name__)
def test_a_request_that_names_somebody_is_found(address: str, headers: dict[str, str], place: str) -> None:
    Client().get(address, headers=headers)
    found = personal_addresses.found()
    assert [each.split(" ")[0] for each in found] == ([place] if place else [])
    assert not any(secret in each.lower() for each in found for secret in ("1890", "tolvansson", "a1b2", "0017"))
    assert personal_addresses.found() == [], "what was reported is forgotten"


def test_ids_name_nobody() -> None:
    ids = [
        uuid.UUID("19900101-1234-4abc-8abc-190001011234"),
        *(uuid.uuid4() for _ in range(2000)),
        *(new_id() for _ in range(2000)),
    ]
    assert not [each for each in ids if personal_addresses.is_personal(f"/sok/person/{each}/?barare={each}")]


def test_people_of_the_demo_are_found_by_each_number() -> None:
    for person in map(people.person, range(50)):
        value = person.person_id.value
        for text in (value, value[2:], f"{value[:8]}-{value[8:]}", f"{value[2:8]}-{value[8:]}", person.posts[0].hsa_id):
            assert personal_addresses.is_personal(f"/sok/?q={text}")


def test_names_of_most_test_persons_are_found() -> None:
    """The others are short, or words of our pages and places too."""
    names = {person.register.surname for person in map(people.person, range(200))}
    found = {name for name in names if personal_addresses.is_personal(f"/sok/?namn={quote(name)}")}
    assert len(found) >= len(names) / 2
    assert not personal_addresses.is_personal("/sok/?gren=1&namn=ekeby+lund")


def test_a_process_of_a_site_reports_to_the_test_that_started_it(tmp_path: Path) -> None:
    with serving("portal", tmp_path / "log") as url:
        requests.get(f"{url}/finns/inte/?namn=Provsson", timeout=60)
        assert personal_addresses.found() == ["query GET /finns/inte/"]
        requests.get(f"{url}/finns/inte/", timeout=60)
        assert personal_addresses.found() == []


def test_what_chromium_keeps_from_the_server_is_found(browser: Browser) -> None:
    with page_at(browser, "data:text/html,<title>x</title>") as (page, _):
        assert personal_addresses.found() == []
        page.goto("about:blank#Provsson")
        page.title()  # what the page reported before arrives before this
    assert personal_addresses.found() == ["navigation blank"]


@override_settings(ROOT_URLCONF=__name__)
def test_a_test_is_red_unless_it_is_marked(request: pytest.FixtureRequest) -> None:
    from tests import conftest

    def outcome(node: pytest.Item) -> type[BaseException] | None:
        Client().get("/sida/Provsson/")
        running = conftest.pytest_runtest_call(node)
        next(running)
        try:
            running.send(None)
        except BaseException as raised:  # noqa: BLE001  (pytest's own outcomes are no Exception)
            return type(raised)
        return None

    class Unmarked:
        def get_closest_marker(self, name: str) -> None:
            return None

    assert outcome(request.node) is StopIteration
    assert outcome(Unmarked()) is pytest.fail.Exception  # type: ignore[arg-type]
