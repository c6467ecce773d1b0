"""S02-S04: whatever a provider, a thief or a middleman hands us, each fault has its own audit reason and all have one page.

Only a person whose log-in is proven and who has no access is told why.
"""

import datetime as dt
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.conf import settings as live_settings
from django.test import Client
from joserfc import jwt
from joserfc.jwk import ECKey
from prometheus_client import REGISTRY

from authn.models import Event, LogInAttempt, Session
from authn.services import log_in
from authn.services import provider as relying_party
from authn.web import login
from issuance.organisations.models import IssuingArea
from issuance.people.models.persons import Person
from issuance.roles.models.grants import RoleGrant
from siths_portal.lib import clock
from siths_portal.lib.http.rate_limits import MinuteBudget
from tests.authn.hostile import EC, LOA3, RSA, STRANGER, WEAK, Provider
from tests.faults.tally import Tally
from tests.pressing import MAIN

FORM = "application/x-www-form-urlencoded"

pytestmark = pytest.mark.django_db(transaction=True)

CARD = "9752269999000000017"  # of a blank reserve card
OWN_KEY = ECKey.generate_key("P-256")


@pytest.fixture
def op(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    hostile = Provider()
    settings.OIDC_ISSUER = hostile.issuer
    settings.PORTAL_BASE_URL = "http://testserver"
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.OIDC_CLIENT_KEY_FILE = str(tmp_path / "client-key.pem")
    (tmp_path / "client-key.pem").write_bytes(OWN_KEY.as_pem(private=True))
    relying_party.forget()
    # Nothing is used of what strangers may cause in a minute: the tests before were strangers too.
    for module, name in ((log_in, "_state_refusals"), (log_in, "_limit_warnings"), (login, "_STARTS")):
        monkeypatch.setattr(module, name, MinuteBudget())
    yield hostile
    hostile.stop()


class Browser:
    """A browser at the portal, and the person in front of it."""

    def __init__(self, op: Provider, person: Person) -> None:
        self.client = Client()
        self.op = op
        self.hsa_id = person.posts.get().hsa_id
        self.number = person.identifiers.get(valid_to=None).value

    def begin(self, **form: str) -> dict[str, str]:
        answer = self.client.post("/logga-in/", urlencode({"next": "/installningar/", **MAIN, **form}), content_type=FORM)
        assert answer.status_code == 303, answer.content
        return self.op.prepare(answer["Location"], self.hsa_id, self.number)

    def back(self, asked: dict[str, str], **changes: str | None) -> Any:
        query = {"state": asked["state"], "code": hashlib.sha256(asked["state"].encode()).hexdigest(), **changes}
        return self.client.get("/logga-in/svar/", {name: value for name, value in query.items() if value is not None})

    def log_in(self) -> Any:
        return self.back(self.begin())


@pytest.fixture
def browser(op: Provider, world: Any) -> Browser:
    return Browser(op, Person.objects.get(pk=world.officer().person_id))


def reasons() -> list[str]:
    return list(Event.objects.filter(action="login.refused").order_by("id").values_list("facts__reason", flat=True))


NOT_COMPLETED = "Inloggningen gick inte att slutföra"


def assert_refused(answer: Any, reason: str, status: int = 400, heading: str = NOT_COMPLETED) -> None:
    assert answer.status_code == status
    page = re.sub(r"<code>[0-9a-f]+</code>|value=\"[A-Za-z0-9]{64}\"", "", answer.content.decode())
    assert f"<code>{answer['X-Request-Id']}</code>" in answer.content.decode() or status == 403, "the support finds it in the log"
    if heading == NOT_COMPLETED:
        assert f"<code>{answer['X-Request-Id']}</code>" in answer.content.decode(), "the support finds it in the log"
    assert f"<h1>{heading}</h1>" in page
    assert reason not in page
    assert reasons() == [reason]
    assert not Session.objects.exclude(subject_ref="").exists()


def test_an_honest_provider_logs_in(browser: Browser, op: Provider) -> None:
    before = browser.client.cookies.get(live_settings.SESSION_COOKIE_NAME)
    assert before is None
    asked = browser.begin()
    anonymous = browser.client.cookies[live_settings.SESSION_COOKIE_NAME].value
    answer = browser.back(asked)
    assert (answer.status_code, answer["Location"]) == (302, "/installningar/"), reasons()
    assert browser.client.get("/installningar/").status_code == 200
    # S01: the key that was there before the log-in is dead.
    assert browser.client.cookies[live_settings.SESSION_COOKIE_NAME].value != anonymous
    thief = Client()
    thief.cookies[live_settings.SESSION_COOKIE_NAME] = anonymous
    assert thief.get("/installningar/").status_code == 302
    started = Event.objects.get(action="session.started")
    assert (started.facts["acr"], started.facts["hsa_id"], started.facts["iss"]) == (LOA3, browser.hsa_id, op.issuer)


def test_the_request_asks_as_it_should(browser: Browser, op: Provider) -> None:
    asked = browser.begin()
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == "http://testserver/logga-in/svar/"
    assert (asked["acr_values"], asked["prompt"], asked["ui_locales"]) == (LOA3, "login", "sv")
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) >= 43
    assert len(asked["nonce"]) >= 43
    wanted = json.loads(asked["claims"])["id_token"]
    assert wanted["employeeHsaId"] == {"essential": True}
    assert [name for name, how in wanted.items() if how] == ["employeeHsaId"]


def test_the_client_proves_itself_with_its_key_anew_at_each_call(browser: Browser, op: Provider) -> None:
    browser.log_in()
    browser.client.post("/logga-ut/")
    browser.log_in()
    claims = []
    for form in op.forms:
        token = jwt.decode(form["client_assertion"], OWN_KEY, algorithms=["ES256"])
        assert token.header["kid"] == OWN_KEY.thumbprint()
        assert token.claims["iss"] == token.claims["sub"] == live_settings.OIDC_CLIENT_ID
        assert token.claims["aud"] == f"{op.issuer}/token"
        assert 0 < token.claims["exp"] - time.time() <= 61
        claims.append(token.claims["jti"])
    assert len(set(claims)) == len(claims) == 2
    assert "client_secret" not in op.forms[0]
    assert op.forms[0]["code_verifier"] != op.forms[1]["code_verifier"]


def claim(**changes: Any) -> Callable[[Provider], None]:
    def twist(op: Provider) -> None:
        for name, value in changes.items():
            if value is None:
                op.claims.pop(name, None)
            else:
                op.claims[name] = value(op.claims.get(name)) if callable(value) else value

    return twist


def header(**changes: Any) -> Callable[[Provider], None]:
    def twist(op: Provider) -> None:
        op.header |= changes

    return twist


def signed(how: Any, **changes: Any) -> Callable[[Provider], None]:
    def twist(op: Provider) -> None:
        op.sign = how
        op.header |= changes

    return twist


def answered(how: Callable[[dict[str, Any]], Any]) -> Callable[[Provider], None]:
    def twist(op: Provider) -> None:
        op.answer = how

    return twist


def later(seconds: int) -> Callable[[int], int]:
    return lambda value: value + seconds


FAULTS: dict[str, tuple[Callable[[Provider], None], str]] = {
    "no signature": (signed(Provider.unsigned), "token-algorithm"),
    "HMAC with the public key": (signed(Provider.by_hmac_with_the_public_key), "token-algorithm"),
    "another's key": (signed(Provider.by(STRANGER)), "token-signature"),
    "changed after signing": (signed(Provider.changed_afterwards), "token-signature"),
    "a signature of another algorithm": (signed(Provider.under_another_header), "token-signature"),
    "an unknown kid": (header(kid="unknown"), "token-key-unknown"),
    "no kid": (signed(lambda head, claims: Provider.by(RSA)({"alg": "RS256"}, claims)), "token-key-unknown"),
    "a kid that two keys share": (header(kid="twice"), "token-key-unknown"),
    "a kid of the other kind of key": (header(kid="ec"), "token-key-unfit"),
    "a short key": (signed(Provider.by(WEAK), kid="weak"), "token-key-unfit"),
    "a key for encryption": (header(kid="for-encryption"), "token-key-unfit"),
    "jku": (header(jku="http://127.0.0.1/keys"), "token-header"),
    "jwk": (header(jwk=RSA.as_dict(private=False)), "token-header"),
    "x5u": (header(x5u="http://127.0.0.1/chain"), "token-header"),
    "another kind of token": (header(typ="at+jwt"), "token-header"),
    "an issuer with a slash": (claim(iss=lambda value: value + "/"), "token-issuer"),
    "another issuer": (claim(iss="https://idp.example.org"), "token-issuer"),
    "no issuer": (claim(iss=None), "token-issuer"),
    "another audience": (claim(aud="somebody"), "token-audience"),
    "no audience": (claim(aud=None), "token-audience"),
    "an audience that is a table": (claim(aud={"siths-portal": 1}), "token-audience"),
    "two audiences without azp": (claim(aud=lambda value: [value, "somebody"]), "token-authorized-party"),
    "made for another party": (claim(azp="somebody"), "token-authorized-party"),
    "no subject": (claim(sub=None), "token-subject"),
    "expired": (claim(exp=later(-600), iat=later(-600)), "token-expired"),
    "no end": (claim(exp=None), "token-expired"),
    "an end that is a text": (claim(exp="9999999999"), "token-expired"),
    "an end beyond all calendars": (claim(exp=1e300), "token-expired"),
    "issued in the future": (claim(iat=later(120), exp=later(120)), "token-issued-at"),
    "issued before it was asked for": (claim(iat=later(-120)), "token-issued-at"),
    "no time of issue": (claim(iat=None), "token-issued-at"),
    "too long a life": (claim(exp=later(1)), "token-lifetime"),
    "not valid yet": (claim(nbf=lambda _: int(time.time()) + 120), "token-not-before"),
    "another nonce": (claim(nonce="n" * 43), "token-nonce"),
    "no nonce": (claim(nonce=None), "token-nonce"),
    "another access token": (claim(at_hash=Provider.half_hash("another")), "token-at-hash"),
    "no at_hash": (claim(at_hash=None), "token-at-hash"),
    "loa2": (claim(acr="http://id.sambi.se/loa/loa2"), "token-acr"),
    "no acr": (claim(acr=None), "token-acr"),
    "uncertified loa3": (claim(acr="http://id.swedenconnect.se/loa/1.0/uncertified-loa3"), "token-acr"),
    "an acr that only begins right": (claim(acr=LOA3 + "x"), "token-acr"),
    "an acr in a list": (claim(acr=[LOA3]), "token-acr"),
    "no auth_time": (claim(auth_time=None), "token-auth-time"),
    "authenticated long ago": (claim(auth_time=later(-3600)), "token-auth-time"),
    "authenticated before it was asked": (claim(auth_time=later(-90)), "token-auth-time"),
    "authenticated in the future": (claim(auth_time=later(120)), "token-auth-time"),
    "no jti": (claim(jti=None), "token-jti"),
    "no HSA-id": (claim(employeeHsaId=None, allEmployeeHsaIds=None), "claim-hsa-id"),
    "an HSA-id that is a list": (claim(employeeHsaId=["TST-1", "TST-2"]), "claim-hsa-id"),
    "an HSA-id with markup": (claim(employeeHsaId="<b>TST-1</b>"), "claim-hsa-id"),
    "no personal number": (claim(credentialPersonalIdentityNumber=None), "claim-person-id"),
    "a personal number of ten digits": (claim(credentialPersonalIdentityNumber="5001019802"), "claim-person-id"),
    "no token": (answered(lambda body: {"access_token": "a", "token_type": "Bearer"}), "token-reply"),
    "no access token": (answered(lambda body: body | {"access_token": None}), "token-reply"),
    "another type of token": (answered(lambda body: body | {"token_type": "mac"}), "token-type"),
    "no token at all": (answered(lambda body: body | {"id_token": "abc"}), "token-malformed"),
    "a token of five parts": (answered(lambda body: body | {"id_token": body["id_token"] + ".a.b"}), "token-malformed"),
    "a token that is too long": (answered(lambda body: body | {"id_token": "a" * 20_000 + ".b.c"}), "token-malformed"),
    "a claim that stands twice": (signed(Provider.with_a_claim_twice), "token-malformed"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_refused_with_its_own_reason_and_the_same_page(fault: str, browser: Browser, op: Provider) -> None:
    twist, reason = FAULTS[fault]
    asked = browser.begin()
    twist(op)
    assert_refused(browser.back(asked), reason)


def test_every_refusal_shows_the_very_same_page(browser: Browser, op: Provider) -> None:
    pages = set()
    for fault in ("another issuer", "loa2", "no signature", "expired"):
        asked = browser.begin()
        FAULTS[fault][0](op)
        text = browser.back(asked).content.decode()
        pages.add(re.sub(r"<code>[0-9a-f]+</code>|value=\"[A-Za-z0-9]{64}\"", "", text))
        op.sign, op.header = op.honestly, {"alg": "RS256", "kid": "rsa"}
    assert len(pages) == 1
    assert len(set(reasons())) == 4


def test_another_algorithm_of_the_list_is_taken(browser: Browser, op: Provider) -> None:
    asked = browser.begin()
    op.header = {"alg": "ES256", "kid": "ec"}
    assert browser.back(asked)["Location"] == "/installningar/"
    assert EC.curve_name == "P-256"


def test_a_new_key_of_the_provider_is_asked_for_when_it_is_first_seen(
    browser: Browser, op: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.log_in()
    browser.client.post("/logga-ut/")
    monkeypatch.setattr(relying_party, "_REFRESH_SECONDS", -1)
    op.jwks.append(STRANGER.as_dict(private=False) | {"kid": "new"})
    asked = browser.begin()
    op.sign, op.header = op.by(STRANGER), {"alg": "RS256", "kid": "new"}
    assert browser.back(asked)["Location"] == "/installningar/"


def test_unknown_keys_do_not_make_us_ask_the_provider_without_end(
    browser: Browser, op: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relying_party, "_REFRESH_SECONDS", 600)  # longer than four log-ins can take
    for _ in range(4):
        asked = browser.begin()
        op.header["kid"] = "unknown"
        browser.back(asked)
    assert op.asked.count("/jwks") == 1
    assert op.asked.count("/.well-known/openid-configuration") == 1


# --- the browser's side: state, code, replays (S02) ------------------------------------------------------------------------


def test_another_browsers_state_is_refused(browser: Browser, op: Provider) -> None:
    asked = browser.begin()
    thief = Browser.__new__(Browser)
    thief.__dict__.update(browser.__dict__, client=Client())
    counted = REGISTRY.get_sample_value("log_ins_refused_total", {"reason": "state-of-another-browser"}) or 0
    assert_refused(thief.back(asked), "state-of-another-browser")
    assert op.forms == [], "the code must not be spent for a stranger"
    assert REGISTRY.get_sample_value("log_ins_refused_total", {"reason": "state-of-another-browser"}) == counted + 1


def test_another_browser_with_a_log_in_of_its_own_is_refused_too(browser: Browser, op: Provider) -> None:
    asked = browser.begin()
    victim = Browser.__new__(Browser)
    victim.__dict__.update(browser.__dict__, client=Client())
    victim.begin()
    assert_refused(victim.back(asked), "state-of-another-browser")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": None}, "state-missing"),
        ({"state": "x" * 43}, "state-unknown"),
        ({"code": None}, "code-missing"),
        ({"code": "x" * 3000}, "code-missing"),
        ({"iss": "https://another.example.org"}, "answer-issuer"),
        ({"code": None, "error": "server_error"}, "provider-error"),
    ],
)
def test_a_bad_answer_is_refused(changes: dict[str, str | None], reason: str, browser: Browser) -> None:
    assert_refused(browser.back(browser.begin(), **changes), reason)


def test_a_used_state_is_refused_and_the_session_stays(browser: Browser) -> None:
    asked = browser.begin()
    assert browser.back(asked).status_code == 302
    answer = browser.back(asked)
    assert answer.status_code == 400
    assert "Du är inloggad som förut" in answer.content.decode()
    assert "Logga in igen" not in answer.content.decode()
    assert reasons() == ["state-used"]
    assert browser.client.get("/installningar/").status_code == 200


def test_log_ins_begun_in_two_tabs_both_come_back_to_one_session(browser: Browser) -> None:
    first = browser.begin()
    second = browser.begin(next="/hjalp/")
    claims = browser.op.prepare_claims(first, browser.hsa_id, browser.number)
    assert browser.back(first)["Location"] == "/installningar/"
    browser.op.claims = claims | {"nonce": second["nonce"], "jti": "another"}
    assert browser.back(second)["Location"] == "/hjalp/"
    assert reasons() == []
    assert Session.objects.filter(end_reason="").exclude(subject_ref="").count() == 1
    assert browser.client.get("/installningar/").status_code == 200


def test_a_used_code_is_refused_under_a_new_state(browser: Browser, op: Provider) -> None:
    browser.back(browser.begin(), code="c" * 43)
    browser.client.post("/logga-ut/")
    forms = len(op.forms)
    assert browser.back(browser.begin(), code="c" * 43).status_code == 400
    assert reasons() == ["code-used"]
    assert len(op.forms) == forms, "not even asked for"


def test_a_token_is_taken_once(browser: Browser, op: Provider, tally: Tally) -> None:
    browser.begin()
    jti = op.claims["jti"]
    asked = browser.begin()
    op.claims["jti"] = jti
    assert browser.back(asked).status_code == 302
    browser.client.post("/logga-ut/")
    asked = browser.begin()
    op.claims["jti"] = jti
    assert browser.back(asked).status_code == 400
    assert reasons() == ["token-used"]
    started = Event.objects.filter(action="session.started").values_list("facts__hsa_id", flat=True)
    tally.run([browser.hsa_id], started, "log-ins")


def test_a_state_is_good_for_a_quarter_of_an_hour(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    from authn.services import log_in

    asked = browser.begin()
    monkeypatch.setattr(log_in, "_ATTEMPT_SECONDS", -1)
    assert_refused(browser.back(asked), "state-expired")


def test_who_cancels_comes_back_to_the_log_in_page(browser: Browser) -> None:
    answer = browser.back(browser.begin(), code=None, error="access_denied")
    assert answer.status_code == 200
    assert "Du avbröt inloggningen" in answer.content.decode()
    assert Event.objects.filter(action="login.cancelled").count() == 1
    assert reasons() == []


NO_POST = "Portalen känner inte till ditt uppdrag"


# --- who it is (rules/authn 1.4) -------------------------------------------------------------------------------------------


def test_an_unknown_hsa_id_is_refused_and_nobody_is_made(browser: Browser) -> None:
    people = Person.objects.count()
    browser.hsa_id = "TST2321000131-NOBODY"
    assert_refused(browser.log_in(), "hsa-id-unknown", 403, NO_POST)
    assert Person.objects.count() == people


@pytest.mark.parametrize(
    ("claims", "reason", "status"),
    [
        ({"acr": None}, "token-acr", 400),
        ({"acr": "http://id.sambi.se/loa/loa2"}, "token-acr", 400),
        ({}, "claim-person-id", 400),
        ({"credentialPersonalIdentityNumber": CARD}, "claim-person-id", 400),
        ({"credentialPersonalIdentityNumber": "189001019802"}, "hsa-id-unknown", 403),
    ],
)
def test_what_a_transport_certificate_says_logs_nobody_in(
    browser: Browser, op: Provider, claims: dict[str, str | None], reason: str, status: int
) -> None:
    """It names a card and no person, at no level: not even a provider that vouches for level 3 gets its card in."""
    asked = browser.begin()
    said = {"employeeHsaId": CARD, "allEmployeeHsaIds": [CARD], "credentialPersonalIdentityNumber": None} | claims
    op.claims = {name: value for name, value in (op.claims | said).items() if value is not None}
    assert_refused(browser.back(asked), reason, status, *([NO_POST] if status == 403 else []))


def test_an_hsa_id_and_a_number_of_two_people_are_refused(browser: Browser, world: Any) -> None:
    another = world.post().person
    browser.number = another.identifiers.get(valid_to=None).value
    assert_refused(browser.log_in(), "person-mismatch", 403)


def test_a_number_that_nobody_has_is_refused(browser: Browser) -> None:
    browser.number = "189912319998"
    assert_refused(browser.log_in(), "person-unknown", 403, NO_POST)


@pytest.mark.parametrize(
    ("role", "heading", "advice"),
    [
        ("none", "Du har ingen roll i portalen", "Kontakta en utgivare i Region Prov."),
        ("ended", "Din roll har upphört", "Kontakta en utgivare i Region Prov."),
        ("later", "Din roll har inte börjat gälla", "Rollen gäller från och med 2199-01-01. Logga in då."),
        ("rests", "Din roll är vilande", "Kontakta er HSA-administratör, eller en utgivare i Annan region."),
    ],
)
def test_a_person_without_a_role_is_told_what_to_do(browser: Browser, world: Any, role: str, heading: str, advice: str) -> None:
    post, now = world.post(), clock.now()
    browser.hsa_id, browser.number = post.hsa_id, post.person.identifiers.get(valid_to=None).value
    for organisation, name in ((world.region, "Region Prov"), (world.stranger, "Annan region")):
        IssuingArea.objects.filter(pk=organisation.area_id).update(name=name)
    begins, ends, place = now - dt.timedelta(days=9), None, world.region
    if role == "ended":
        ends = now - dt.timedelta(days=1)
    elif role == "later":
        begins = dt.datetime(2199, 1, 1, 12, tzinfo=dt.UTC)
    elif role == "rests":
        place = world.stranger
    if role != "none":
        RoleGrant.objects.create(person=post.person, role="reader", organisation=place, valid_from=begins, valid_to=ends)
    answer = browser.log_in()
    assert_refused(answer, "no-role", 403, heading)
    page = answer.content.decode()
    assert advice in page
    assert "Vem ger roller?" in page
    assert "Logga in igen" in page


def test_hsa_ids_compare_without_regard_to_case(browser: Browser) -> None:
    browser.hsa_id = browser.hsa_id.lower()
    assert browser.log_in()["Location"] == "/installningar/"


@pytest.fixture
def new_minute(op: Provider) -> Iterator[None]:
    """A minute that does not end."""
    with clock.moved_to(clock.now()):
        yield


def test_invented_answers_fill_no_log(op: Provider, world: Any, new_minute: None) -> None:
    for number in range(50):
        query = {"state": f"{number:043}"} if number % 2 else {}
        assert Client().get("/logga-in/svar/", query).status_code == 400
    assert Event.objects.filter(action="login.refused").count() == 20


def test_one_browsers_wrong_answers_leave_room_for_anothers(browser: Browser, new_minute: None) -> None:
    asked = browser.begin()
    for _ in range(30):
        assert browser.back(asked, state="x" * 43).status_code == 400
    assert Event.objects.filter(action="login.refused").count() == 20
    assert browser.back(asked)["Location"] == "/installningar/"  # its own attempt was not used up
    assert Client().get("/logga-in/svar/", {"state": "y" * 43}).status_code == 400
    assert Event.objects.filter(action="login.refused").count() == 21


def test_an_address_starts_so_many_log_ins_a_minute(browser: Browser, settings: Any, new_minute: None) -> None:
    settings.LOG_INS_PER_MINUTE_BY_ADDRESS, settings.LOG_INS_PER_MINUTE = 3, 5

    def start(address: str) -> int:
        forged = {"X-Forwarded-For": f"192.0.2.{Session.objects.count()}"}
        return int(Client(REMOTE_ADDR=address).post("/logga-in/", headers=forged).status_code)

    assert browser.log_in().status_code == 302
    assert [start("127.0.0.1") for _ in range(4)] == [303, 303, 429, 429]
    assert [start("198.51.100.7") for _ in range(3)] == [303, 303, 429]  # five in all
    assert (LogInAttempt.objects.count(), Session.objects.count()) == (5, 5)
    browser.begin()  # of who is logged in
    with clock.moved_to(clock.now() + dt.timedelta(minutes=1)):
        assert start("127.0.0.1") == 303


def test_a_form_from_a_stranger_makes_no_session(world: Any) -> None:
    client = Client()
    for _ in range(3):
        answer = client.post("/installningar/", "a=b", content_type=FORM)
        assert answer["Location"] == "/logga-in/?next=%2Finstallningar%2F&skickat=1"
    assert "uppgifterna sparades inte" in client.get(answer["Location"]).content.decode()
    assert not Session.objects.exists()


def test_a_log_in_at_another_address_goes_on_at_the_portals_own(world: Any, settings: Any) -> None:
    settings.PORTAL_BASE_URL, settings.ALLOWED_HOSTS = "http://testserver", ["testserver", "127.0.0.1"]
    form = urlencode({"next": "/installningar/", **MAIN})
    answer = Client().post("/logga-in/", form, content_type=FORM, headers={"host": "127.0.0.1"})
    own, path = answer["Location"].split("/logga-in/")
    assert (own, path) == ("http://testserver", "?next=%2Finstallningar%2F&adress=1")
    assert "Här är den rätta adressen" in Client().get(f"/logga-in/{path}").content.decode()
    assert not Session.objects.exists()


# --- a provider that is away or not what it says ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://another.example.org"},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": None},
        {"response_types_supported": ["token"]},
        {"token_endpoint_auth_methods_supported": ["client_secret_post"]},
        {"id_token_signing_alg_values_supported": ["none", "HS256"]},
    ],
)
def test_metadata_that_would_weaken_the_log_in_stops_it(changes: dict[str, Any], browser: Browser, op: Provider) -> None:
    op.metadata_changes = changes
    answer = browser.client.post("/logga-in/")
    assert answer.status_code == 503
    assert "Inloggningstjänsten svarar inte" in answer.content.decode()


def test_a_provider_that_is_away_gives_a_page_that_says_what_to_do(browser: Browser, op: Provider, tally: Tally) -> None:
    op.status = 500
    answer = browser.client.post("/logga-in/")
    assert (answer.status_code, "Vänta en stund och logga in igen" in answer.content.decode()) == (503, True)
    op.status = 200
    asked = browser.begin()
    op.status = 502
    answer = browser.back(asked)
    assert (answer.status_code, "Vänta en stund och logga in igen" in answer.content.decode()) == (503, True)
    op.status = 200
    assert browser.log_in()["Location"] == "/installningar/"
    started = Event.objects.filter(action="session.started").values_list("facts__hsa_id", flat=True)
    tally.run([browser.hsa_id], started, "log-ins")


def test_a_provider_that_declines_the_code_is_a_refusal(browser: Browser, op: Provider) -> None:
    asked = browser.begin()
    op.status = 400
    assert_refused(browser.back(asked), "code-refused")


def test_no_answer_holds_personal_data_in_its_address_or_log(browser: Browser, op: Provider, capfd: Any) -> None:
    answer = browser.client.post("/logga-in/")
    browser.log_in()
    browser.number = "189912319998"
    browser.client.post("/logga-ut/")
    browser.log_in()
    said = capfd.readouterr().err
    for secret in (browser.hsa_id, browser.number, op.claims["jti"], op.claims["nonce"]):
        assert secret not in said
        assert secret not in urlsplit(answer["Location"]).query
