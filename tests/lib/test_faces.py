"""Each face as a real process: its pages, its errors, and the headers of every answer, also of those that went wrong."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import OperationalError, connections
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from siths_portal.dev.checks import PRODUCTION
from siths_portal.dev.openssl import new_key
from siths_portal.dev.private_services import APP_ROLE
from siths_portal.lib.errors import Altered, Conflict, Unavailable
from siths_portal.lib.pages import error_pages
from tests.chance import without_chance
from tests.database_roles import TEST_ROLE
from tests.faults.tally import Tally
from tests.lib.faces import serving
from tests.pki.ocsp import outages

FACES = ("portal", "minasidor", "status", "api")
HTML = ("portal", "minasidor", "status")
MALFORMED = bytes.fromhex("30030a0101")
"""OCSPResponse of the status malformedRequest (RFC 6960 section 4.2.1)."""


class Faces:
    """The faces in development, each started when it is first asked for."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder, self._stack, self._urls = folder, stack, dict[str, str]()

    def __getitem__(self, face: str) -> str:
        if face not in self._urls:
            self._urls[face] = self._stack.enter_context(serving(face, self.log(face)))
        return self._urls[face]

    def log(self, face: str) -> Path:
        return self.folder / f"{face}.log"


@pytest.fixture(scope="module")
def faces(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faces]:
    with contextlib.ExitStack() as stack:
        yield Faces(tmp_path_factory.mktemp("faces"), stack)


def assert_guarded(answer: requests.Response, face: str) -> None:
    """The headers of every answer (S17, S18, S20)."""
    headers = answer.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert len(headers["X-Request-Id"]) == 32
    policy = {part.split()[0]: part.split()[1:] for part in headers["Content-Security-Policy"].split("; ")}
    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == ["'self'"]
    # The log-in form alone leads elsewhere: to the identity provider and back.
    assert policy["form-action"] == ["'self'"] or (face in ("portal", "minasidor") and urlsplit(answer.url).path == "/")
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    if face != "status":
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    cookies = [part.split("=")[0] for part in headers.get("Set-Cookie", "").split(", ") if "=" in part.split(";")[0]]
    assert not [name for name in cookies if "csrf" not in name], "nobody is logged in"
    if cookies:
        assert "HttpOnly" in headers["Set-Cookie"]
        assert "SameSite=Lax" in headers["Set-Cookie"]


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("GET", "/finns/inte", {}),
        ("POST", "/", {}),
        ("PUT", "/healthz/live", {}),
        ("GET", "/%00", {}),
        ("GET", "/healthz/ready", {}),
    ],
)
def test_every_answer_carries_the_security_headers(
    faces: Faces, face: str, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = requests.request(method, faces[face] + path, headers=headers, timeout=60, allow_redirects=False)
    assert answer.status_code < 500
    assert_guarded(answer, face)
    assert "Traceback" not in answer.text
    if face != "status":
        assert answer.headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in answer.headers, "development is plain http"


@pytest.mark.parametrize("face", ["portal", "minasidor"])
def test_a_form_without_its_token_is_refused_with_a_page(faces: Faces, face: str) -> None:
    answer = requests.post(faces[face] + "/", data={"a": "b"}, timeout=60)
    assert answer.status_code == 403
    assert "<h1>Åtgärden gick inte att göra</h1>" in answer.text


@pytest.mark.parametrize(
    ("face", "path", "heading"),
    [
        ("portal", "/", "SITHS eID Portal"),
        ("portal", "/tillganglighet/", "Tillgänglighet för SITHS eID Portal"),
        ("minasidor", "/", "Mina sidor"),
        ("status", "/", "Certifikat och spärrlistor"),
    ],
)
def test_the_pages_stand(faces: Faces, face: str, path: str, heading: str) -> None:
    answer = requests.get(faces[face] + path, timeout=60)
    assert answer.status_code == 200
    assert f"<h1>{heading}</h1>" in answer.text
    assert '<html lang="sv"' in answer.text
    assert answer.text.count("<h1") == 1
    assert "<style" not in answer.text
    assert "style=" not in answer.text
    assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)
    told = requests.post(faces[face] + path, timeout=60)
    if face == "status":  # where relying parties of CAs that were taken over ask (ADR 0217): what is no request is told so
        assert (told.status_code, told.content) == (200, MALFORMED)
    else:
        assert told.status_code in (403, 405)


def test_the_accessibility_statement_holds_what_the_law_asks(faces: Faces) -> None:
    text = requests.get(faces["portal"] + "/tillganglighet/", timeout=60).text
    for needed in (
        settings.OPERATOR_NAME, f"mailto:{settings.ACCESSIBILITY_CONTACT}", "delvis förenliga", "EN 301 549", "12 §",
        "https://www.digg.se/tdosanmalan", "Bedömningen gjordes", "uppdaterades senast", "axe",
    ):  # fmt: skip
        assert needed in text


def test_files_of_the_pages_are_served(faces: Faces) -> None:
    for face in HTML:
        for name in (
            "css/tokens.css",
            "css/base.css",
            "css/frame.css",
            "css/forms.css",
            "css/tables.css",
            "css/components.css",
            "js/portal.js",
            "js/copy.js",
            "vendor/htmx.min.js",
            "img/icon.svg",
            "vendor/designsystemet.css",
            "vendor/designsystemet-theme.css",
            "vendor/atkinson-latin.woff2",
            "vendor/atkinson-latin-ext.woff2",
        ):
            answer = requests.get(f"{faces[face]}/static/{name}", timeout=60)
            assert answer.status_code == 200, name
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.personal_addresses
def test_the_logs_of_all_this_are_json_without_the_requests(faces: Faces) -> None:
    requests.get(faces["portal"] + "/finns/inte/18900101-9802/?namn=Provsson", headers={"X-Note": "Provsson"}, timeout=60)
    text = faces.log("portal").read_text()
    assert "Provsson" not in text
    assert "1890" not in without_chance(text)
    assert [json.loads(line)["event"] for line in text.splitlines()].count("Not Found") > 0


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment as in production, with the pages' files collected."""
    folder = tmp_path_factory.mktemp("deployed")
    key = folder / "key"
    key.write_text("abcdefghij" * 6)
    names = "portal.example.org,minasidor.example.org,status.example.org,api.example.org"
    env = PRODUCTION | {"SITHS_VAR_DIR": str(folder), "SECRET_KEY_FILE": str(key), "TLS_PROXY": "1", "ALLOWED_HOSTS": names}
    client_key = folder / "client-key"
    client_key.write_text(new_key())
    env["OIDC_CLIENT_KEY_FILE"] = str(client_key)
    command = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v", "0"]
    done = subprocess.run(command, cwd=settings.BASE_DIR, env=env | {"PATH": "/usr/bin"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return env


@pytest.mark.parametrize("face", FACES)
def test_production_speaks_tls_and_says_so(face: str, deployed: dict[str, str], django_db_setup: None, tmp_path: Path) -> None:
    as_app = {"DATABASE_URL": os.environ["DATABASE_URL"].replace(TEST_ROLE, APP_ROLE, 1)}
    with serving(face, tmp_path / "log", **deployed, **as_app) as url:
        host = {"Host": f"{face}.example.org"}
        plain = requests.get(f"{url}/", headers=host, timeout=60, allow_redirects=False)
        if face == "status":
            assert plain.status_code == 200
            assert "Strict-Transport-Security" not in plain.headers
            return
        assert (plain.status_code, plain.headers["Location"]) == (301, f"https://{face}.example.org/")
        assert requests.get(f"{url}/healthz/live", headers=host, timeout=60, allow_redirects=False).status_code == 200
        for path in ("/", "/finns/inte", "/healthz/ready"):
            answer = requests.get(url + path, headers=host | {"X-Forwarded-Proto": "https"}, timeout=60, allow_redirects=False)
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
            assert_guarded(answer, face)
        forged = requests.get(url, headers={"Host": "evil.example", "X-Forwarded-Proto": "https"}, timeout=60)
        assert forged.status_code == 400
        assert_guarded(forged, face)
        if face == "portal":
            asked = host | {"X-Forwarded-Proto": "https", "Accept-Encoding": "gzip"}
            page = requests.get(url, headers=asked, timeout=60)
            sheet = page.text.split('href="/static/css/base.')[1].split('"')[0]
            answer = requests.get(f"{url}/static/css/base.{sheet}", headers=asked, timeout=60)
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == f"max-age={10 * 365 * 24 * 3600}, public, immutable"
            assert [each.headers["Content-Encoding"] for each in (page, answer)] == ["gzip", "gzip"]


def test_production_has_each_file_of_the_pages_once_by_its_hash_and_none_of_the_libraries(deployed: dict[str, str]) -> None:
    folder, ours = Path(deployed["SITHS_VAR_DIR"]) / "static", settings.BASE_DIR / "static"
    collected = json.loads((folder / "staticfiles.json").read_text())["paths"]
    assert set(collected) == {str(path.relative_to(ours)) for path in ours.rglob("[!.]*") if path.is_file()}
    kept = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"staticfiles.json"}
    assert {name for name in kept if not name.endswith((".br", ".gz"))} == set(collected.values())
    sheets = {name: (folder / name).read_text() for name in kept if name.endswith(".css")}
    assert [name for name, sheet in sheets.items() if not sheet or "/*" in sheet] == []


def test_a_database_that_is_gone_is_a_page_and_not_a_trace(tmp_path: Path) -> None:
    with serving("status", tmp_path / "log", DATABASE_URL="postgres://siths_app@/siths?host=/nonexistent") as url:
        answer = requests.get(url, timeout=60)
        assert answer.status_code == 503
        assert "<h1>Tjänsten svarar inte just nu</h1>" in answer.text
        assert answer.headers["Retry-After"] == "30"
        assert answer.headers["X-Request-Id"] in answer.text
        assert_guarded(answer, "status")
        assert requests.get(f"{url}/healthz/live", timeout=60).status_code == 200
        ready = requests.get(f"{url}/healthz/ready", timeout=60)
        assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "databasen svarar inte")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {"page.database_unavailable"} <= {line["event"] for line in lines}
    assert "nonexistent" not in (tmp_path / "log").read_text()


def test_a_site_without_a_free_connection_says_so_and_recovers(faces: Faces, tally: Tally) -> None:
    """F19: every connection is somebody else's. What needs none is served, and the site needs no restart."""
    url, asked = faces["portal"], 8
    known = {f"portal-session-{settings.PORT_BASE}": "a" * 32}  # for which the site asks the database

    def pages() -> list[int]:
        return [requests.get(url, cookies=known, timeout=60).status_code for _ in range(asked)]

    def ready() -> int:
        return requests.get(f"{url}/healthz/ready", timeout=60).status_code

    connections.close_all()
    outages.end_sessions()
    with outages.every_connection_taken():
        assert pages() == [503] * asked
        assert ready() == 503
        assert requests.get(f"{url}/healthz/live", timeout=60).status_code == 200
        assert requests.get(url, timeout=60).status_code == 200
    assert ready() == 200
    tally.run([200] * asked, pages(), "pages")


def raising(error: Exception) -> object:
    @login_not_required
    def view(_request: HttpRequest) -> HttpResponse:
        raise error

    return view


class Urls:
    handler400, handler403 = error_pages.bad_request, error_pages.permission_denied
    handler404, handler500 = error_pages.page_not_found, error_pages.server_error
    urlpatterns = [
        path("fel", raising(ValueError("Provsson"))),
        path("borta", raising(Unavailable("hsm-away", "Korttjänsten svarar inte. Försök igen om en stund."))),
        path("upptaget", raising(Conflict("already-sent", "Kortet är redan skickat."))),
        path("skadat", raising(Altered("document-altered", "Dokumentet visas inte."))),
        path("databas", raising(OperationalError("Provsson"))),
        path("saknas", raising(Http404("Provsson"))),
        path("konstigt", raising(BadRequest("Provsson"))),
        path("nekad", raising(PermissionDenied("Provsson"))),
    ]


@override_settings(ROOT_URLCONF=Urls)
@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/fel", 500, "Något gick fel hos oss"),
        ("/borta", 503, "Korttjänsten svarar inte. Försök igen om en stund."),
        ("/upptaget", 409, "Kortet är redan skickat."),
        ("/upptaget", 409, "<h1>Något har hunnit ändras</h1>"),
        ("/skadat", 409, "<h1>Uppgifterna har skadats</h1>"),
        ("/databas", 503, "Tjänsten svarar inte just nu"),
        ("/konstigt", 400, "Begäran går inte att tolka"),
        ("/nekad", 403, "Åtgärden gick inte att göra"),
        ("/saknas", 404, "Sidan finns inte"),
        ("/x", 404, "Sidan finns inte"),
    ],
)
@pytest.mark.parametrize("debug", [False, True])
def test_an_error_has_a_page_in_swedish(path: str, status: int, text: str, debug: bool) -> None:
    with override_settings(DEBUG=debug and status != 500):  # of an unforeseen fault developers see Django's page
        answer = Client(raise_request_exception=False).get(path)
    page = answer.content.decode()
    assert answer.status_code == status
    assert text in page
    assert "Provsson" not in page
    assert '<html lang="sv"' in page
    assert answer["X-Request-Id"] in page
    assert answer.has_header("Retry-After") == (status == 503)


def test_an_error_page_that_cannot_be_made_is_text() -> None:
    with override_settings(TEMPLATES=[], ROOT_URLCONF=Urls):
        answer = Client(raise_request_exception=False).get("/fel")
    assert answer.status_code == 500
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode().startswith("Något gick fel hos oss. ")
