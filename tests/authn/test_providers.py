"""A site has several identity providers: each log-in, answer and log-out belongs to one, by its own names and credentials."""

import datetime as dt
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.conf import settings as live_settings

from authn.domain.id_token import TokenRefused, identity
from authn.models import Event, LogInAttempt, Session
from issuance.people.models.persons import Person
from siths_portal.lib import clock
from siths_portal.lib.assurance import FRAMEWORKS, LEVELS, SUFFICIENT
from tests.authn.hostile import LOA3, Provider
from tests.authn.test_hostile_provider import FORM, Browser, op, reasons
from tests.pressing import MAIN

__all__ = ["op"]

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "s" * 40
SAMBI = "http://sambi.se/attributes/1/"
NUMBER, COORDINATION = (f"https://id.oidc.se/claim/{name}Number" for name in ("personalIdentity", "coordination"))
HSA_ID, ID = "TST2321000131-1001", "189001019802"


@pytest.fixture
def second(op: Provider, settings: Any, tmp_path: Path) -> Iterator[Provider]:
    """Another provider of the portal, of another framework, which knows the portal by a secret."""
    other = Provider()
    other.metadata_changes = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    entry = {"issuer": other.issuer, "client_id": "portal-there", "name": "Regionens inloggning", "framework": "sambi"}
    settings.OIDC_PROVIDERS = [entry | {"client_secret_file": str(tmp_path / "secret")}]
    yield other
    other.stop()


@pytest.fixture
def browser(op: Provider, world: Any) -> Browser:
    return Browser(op, Person.objects.get(pk=world.officer().person_id))


def begin_there(browser: Browser, second: Provider) -> dict[str, str]:
    """Begins at the second provider, whose claims have Sambi's names."""
    browser.op = second
    asked = browser.begin(idp=second.issuer)
    claims = second.claims
    for ours, theirs in (("employeeHsaId", "employeeHsaId"), ("credentialPersonalIdentityNumber", "personalIdentityNumber")):
        claims[f"{SAMBI}{theirs}"] = claims.pop(ours)
    del claims["allEmployeeHsaIds"]
    return asked


def test_the_log_in_page_offers_each_provider_and_lets_its_forms_leave_for_it(
    browser: Browser, op: Provider, second: Provider
) -> None:
    page = browser.client.get("/logga-in/")
    assert "Välj Regionens inloggning" in page.content.decode()
    (allowed,) = [part for part in page["Content-Security-Policy"].split("; ") if part.startswith("form-action")]
    assert {op.issuer, second.issuer} <= set(allowed.split())


def test_who_chose_the_second_provider_logs_in_and_out_there(browser: Browser, op: Provider, second: Provider) -> None:
    second.metadata_changes["end_session_endpoint"] = f"{second.issuer}/logout"
    asked = begin_there(browser, second)
    assert (asked["client_id"], asked["acr_values"]) == ("portal-there", LOA3)
    assert browser.back(asked)["Location"] == "/installningar/", reasons()
    (form,) = second.forms
    assert (form["client_id"], form["client_secret"]) == ("portal-there", SECRET)
    assert "client_assertion" not in form
    assert op.forms == []
    out = browser.client.post("/logga-ut/").content.decode()
    assert f'action="{second.issuer}/logout"' in out
    assert 'value="portal-there"' in out


def test_a_provider_of_claims_by_other_names_is_asked_for_those(browser: Browser, second: Provider) -> None:
    browser.op = second
    claims = browser.begin(idp=second.issuer)["claims"]
    assert f"{SAMBI}personalIdentityNumber" in claims
    assert '"employeeHsaId"' not in claims


def test_an_issuer_that_is_not_ours_begins_at_the_first_provider(browser: Browser, op: Provider, second: Provider) -> None:
    browser.begin(idp="https://idp.example.org")
    assert LogInAttempt.objects.get().issuer == op.issuer


def test_one_provider_cannot_answer_for_another(browser: Browser, op: Provider, second: Provider) -> None:
    """A mix-up: the token of one, for a log-in that was begun at the other; and an answer that names its sender."""
    asked = begin_there(browser, second)
    second.claims["iss"] = op.issuer
    assert browser.back(asked).status_code == 400
    assert browser.back(begin_there(browser, second), iss=op.issuer).status_code == 400
    assert reasons() == ["token-issuer", "answer-issuer"]
    assert not Session.objects.exclude(subject_ref="").exists()


def test_a_provider_that_names_itself_in_answers_must_do_so(browser: Browser, op: Provider) -> None:
    op.metadata_changes["authorization_response_iss_parameter_supported"] = True
    assert browser.back(browser.begin()).status_code == 400
    assert reasons() == ["answer-issuer"]
    assert browser.back(browser.begin(), iss=op.issuer)["Location"] == "/installningar/"


def test_a_provider_that_was_taken_away_answers_nothing(browser: Browser, second: Provider, settings: Any) -> None:
    asked = begin_there(browser, second)
    settings.OIDC_PROVIDERS = []
    assert browser.back(asked).status_code == 400
    assert reasons() == ["provider-unknown"]


def test_a_log_in_of_another_site_is_not_ended_here(browser: Browser, settings: Any) -> None:
    asked = browser.begin()
    LogInAttempt.objects.update(face="minasidor")
    assert browser.back(asked).status_code == 400
    assert reasons() == ["state-of-another-site"]


def test_s47_one_browser_begins_ten_log_ins_a_minute(browser: Browser, settings: Any) -> None:
    settings.LOG_INS_PER_MINUTE_BY_SESSION = 3
    for _ in range(3):
        browser.begin()
    refused = press(browser)
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert "påbörjat inloggningen för många gånger" in refused.content.decode()
    assert LogInAttempt.objects.count() == 3
    with clock.moved_to(clock.now() + dt.timedelta(seconds=61)):
        browser.begin()
    assert not Event.objects.filter(action="login.refused").exists()


@pytest.mark.parametrize("limit", ["LOG_INS_PER_MINUTE_BY_ORGANISATION", "LOG_INS_PER_MINUTE_OF_SITE"])
def test_s47_an_organisation_and_a_site_begin_so_many_log_ins_a_minute(
    browser: Browser, settings: Any, op: Provider, world: Any, limit: str
) -> None:
    """Both count attempts of other browsers and processes: a site its own, an organisation those of its people."""
    of_site = limit.endswith("SITE")
    browser.log_in()
    hsa_id = Session.objects.exclude(hsa_id="").get().hsa_id
    setattr(settings, limit, 4)
    LogInAttempt.objects.all().delete()
    for number, (face, organisation) in enumerate([("portal", hsa_id.partition("-")[0]), ("portal", "SE0000000000")] * 2):
        attempt(number, face=face, organisation=organisation)
        attempt(number + 10, face="minasidor", organisation=hsa_id.partition("-")[0])
    stranger = Browser(op, Person.objects.get(pk=world.officer().person_id))
    assert press(stranger).status_code == (429 if of_site else 303)
    assert press(browser).status_code == (429 if of_site else 303)
    attempt(20, face="portal", organisation=hsa_id.partition("-")[0])
    refused = press(browser)
    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert "Många loggar in just nu" in refused.content.decode()
    with clock.moved_to(clock.now() + dt.timedelta(seconds=61)):
        assert press(stranger).status_code == 303


def attempt(number: int, **values: str) -> None:
    """An attempt of another browser, now."""
    common = {"nonce": "", "verifier": "", "next_path": "/", "step_up": True, "started_at": clock.now()}
    LogInAttempt.objects.create(state_hash=f"{number}", session_id=uuid.uuid4(), **common, **values)


def press(browser: Browser, **form: str) -> Any:
    """The answer to the button Logga in."""
    return browser.client.post("/logga-in/", urlencode({"next": "/installningar/", **MAIN, **form}), content_type=FORM)


@pytest.mark.parametrize(
    ("framework", "claims"),
    [
        ("inera", {"employeeHsaId": HSA_ID, "credentialPersonalIdentityNumber": ID}),
        ("sambi", {f"{SAMBI}employeeHsaId": HSA_ID, f"{SAMBI}personalIdentityNumber": ID}),
        ("sweden-connect", {"employeeHsaId": HSA_ID, NUMBER: ID}),
        ("sweden-connect", {"employeeHsaId": HSA_ID, COORDINATION: ID}),
    ],
)
def test_each_framework_has_its_names_and_reads_no_others(framework: str, claims: dict[str, str]) -> None:
    claims = claims | {"acr": LOA3}
    found = identity(claims, FRAMEWORKS[framework])
    assert (found.hsa_id, found.person_id) == (HSA_ID, ID)
    for other in FRAMEWORKS.keys() - {framework}:
        with pytest.raises(TokenRefused):
            identity(claims, FRAMEWORKS[other])


def test_two_numbers_name_nobody() -> None:
    claims = {"acr": LOA3, "employeeHsaId": HSA_ID, NUMBER: ID, COORDINATION: "189001619806"}
    with pytest.raises(TokenRefused, match="claim-person-id"):
        identity(claims, FRAMEWORKS["sweden-connect"])


def test_s04_level_three_has_these_names_and_no_others() -> None:
    assert live_settings.OIDC_ACR_VALUES[0] in SUFFICIENT
    assert {LOA3, *(f"http://id.elegnamnden.se/loa/1.0/loa{level}" for level in (3, 4))} == SUFFICIENT
    assert [name for name in LEVELS if "uncertified" in name or "nonresident" in name] == []


def test_the_address_of_a_request_names_nobody(browser: Browser, second: Provider) -> None:
    """S21: what the browser is sent with holds neither HSA-id nor number."""
    answer = press(browser, idp=second.issuer)
    query = parse_qs(urlsplit(answer["Location"]).query)
    assert "login_hint" not in query
    assert browser.number not in answer["Location"]
    assert browser.hsa_id not in answer["Location"]
