"""Log-in and log-out at a provider that others made: what we ask for and take is OpenID Connect, not our simulator's."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from authn.models import Event, Session
from issuance.people.models.persons import Person
from siths_portal.demo.browsing import Browser, Page
from tests.authn.hostile import LOA3
from tests.authn.stage import wait_for_provider
from tests.lib.faces import serving
from tests.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long password"
CLIENT, SECRET = "siths-portal-there", "shared-secret-of-forty-characters-or-more"
SAMBI = "http://sambi.se/attributes/1/"


@dataclass
class Sites:
    """The portal and the provider, each a process."""

    portal: str
    issuer: str
    log: Path


def told(person: Person, acr: str) -> dict[str, Any]:
    claims = {f"{SAMBI}employeeHsaId": person.posts.get().hsa_id, "acr": acr, "amr": ["sc"]}
    number = person.identifiers.get(valid_to=None).value
    return {"password": PASSWORD, "claims": claims | {f"{SAMBI}personalIdentityNumber": number}}


@pytest.fixture
def sites(clerk: Person, tmp_path: Path) -> Iterator[Sites]:
    portal_port, port = free_port(), free_port()
    portal, issuer = f"http://localhost:{portal_port}", f"http://localhost:{port}/o"
    client = {"client_id": CLIENT, "secret": SECRET, "redirect_uri": f"{portal}/logga-in/svar/"}
    people = {"clerk": told(clerk, LOA3), "below": told(clerk, "http://id.sambi.se/loa/loa2")}
    (tmp_path / "provider.json").write_text(json.dumps(client | {"logged_out_uri": f"{portal}/logga-ut/", "people": people}))
    (tmp_path / "secret").write_text(SECRET)
    log = tmp_path / "provider.log"
    command = [sys.executable, "-m", "tests.authn.independent_provider", str(tmp_path), str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for_provider(issuer, process, log, path="/.well-known/openid-configuration")
        own = {"PORTAL_BASE_URL": portal, "OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": CLIENT, "OIDC_FRAMEWORK": "sambi"}
        own |= {"OIDC_CLIENT_SECRET_FILE": str(tmp_path / "secret"), "OIDC_CLIENT_KEY_FILE": ""}
        with serving("portal", tmp_path / "portal.log", port=portal_port, **own):
            yield Sites(portal, issuer, log)
    finally:
        process.terminate()
        process.wait(60)


def sign_in(page: Page, name: str) -> Page:
    assert page.heading == "Sign in"
    return page.form("Sign in").fill("Username:", name).fill("Password:", PASSWORD).send()


def test_a_person_logs_in_and_out_at_both_and_not_on_level_two(sites: Sites, clerk: Person) -> None:
    browser = Browser()
    page = sign_in(browser.open(f"{sites.portal}/installningar/").press("Logga in"), "clerk")
    assert (page.status, page.path, page.heading) == (200, "/installningar/", "Inställningar")
    assert clerk.posts.get().hsa_id in page.text
    started = Event.objects.get(action="session.started")
    assert (started.facts["iss"], started.facts["acr"]) == (sites.issuer, LOA3)
    # A second log-in asks for the password again: nobody is let in because the provider remembers somebody.
    other = Browser()
    assert other.open(f"{sites.portal}/installningar/").press("Logga in").heading == "Sign in"
    out = page.press("Logga ut")
    end = out.press("Logga ut även hos inloggningstjänsten")
    assert (end.url, end.heading) == (f"{sites.portal}/logga-ut/", "Du är utloggad")
    assert "POST /o/logout/" in sites.log.read_text()
    assert page.again().path == "/logga-in/"
    assert Session.objects.get(end_reason="logged-out").id_token == ""
    # S04: a genuine person of a genuine provider, on level 2.
    below = sign_in(Browser().open(f"{sites.portal}/installningar/").press("Logga in"), "below")
    assert (below.status, below.heading) == (400, "Inloggningen gick inte att slutföra")
    assert Event.objects.get(action="login.refused").facts["reason"] == "token-acr"
