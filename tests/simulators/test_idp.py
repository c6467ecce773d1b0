"""The identity provider's protocol as a stranger speaks it: what it refuses, and that it sends nobody where nobody asked."""

import base64
import contextlib
import hashlib
import html
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from siths_portal.simulators.idp import Server

BACK, AWAY = "http://127.0.0.1:9/svar/", "http://127.0.0.1:9/ute/"
KEY, STRANGER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
PERSON = {
    "given_name": "Prov", "surname": "Provsson", "personnummer": "185001019802", "role": "ID-administratör",
    "posts": [{"hsa_id": "TST2321000131-A1", "unit": "Regionen"}],
}  # fmt: skip
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def url64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


class Client:
    """A relying party that does as it is told."""

    def __init__(self, server: Server) -> None:
        self.issuer = f"http://localhost:{server.server_port}"
        self.verifier = secrets.token_urlsafe(32)
        self.metadata = requests.get(f"{self.issuer}/.well-known/openid-configuration", timeout=60).json()

    def request(self, **changes: str | None) -> requests.Response:
        query: dict[str, str | None] = {
            "client_id": "prov", "redirect_uri": BACK, "response_type": "code", "scope": "openid", "state": "s" * 43,
            "nonce": "n" * 43, "code_challenge": url64(hashlib.sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256", "acr_values": "http://id.sambi.se/loa/loa3", "prompt": "login", **changes,
        }  # fmt: skip
        address = self.metadata["authorization_endpoint"]
        return requests.get(address, params={k: v for k, v in query.items() if v is not None}, allow_redirects=False, timeout=60)

    def code(self) -> str:
        step = self.issuer + self.request().headers["Location"]
        form = {"person": hashlib.sha256(PERSON["personnummer"].encode()).hexdigest()[:16]}  # type: ignore[attr-defined]
        answer = requests.post(f"{step}/person", data=form, headers={"Origin": self.issuer}, allow_redirects=False, timeout=60)
        query = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert (query["state"], query["iss"]) == (["s" * 43], [self.issuer])
        return query["code"][0]

    def assertion(self, key: ECKey = KEY, **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": "prov",
            "sub": "prov",
            "aud": f"{self.issuer}/token",
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode({"alg": "ES256"}, claims | changes, key, algorithms=["ES256"])

    def token(self, **changes: str | None) -> requests.Response:
        form: dict[str, str | None] = {
            "grant_type": "authorization_code", "redirect_uri": BACK, "client_id": "prov", "code_verifier": self.verifier,
            "client_assertion_type": ASSERTION, **changes,
        }  # fmt: skip
        if "code" not in changes:
            form["code"] = self.code()
        if "client_assertion" not in changes:
            form["client_assertion"] = self.assertion()
        return requests.post(f"{self.issuer}/token", data={k: v for k, v in form.items() if v is not None}, timeout=60)


@contextlib.contextmanager
def serving(folder: Path, *people: dict[str, Any]) -> Iterator[Server]:
    """The provider with one client and these people."""
    client = {
        "client_id": "prov", "name": "Prov", "redirect_uris": [BACK], "post_logout_redirect_uris": [AWAY],
        "public_key": KEY.as_pem(private=False).decode(),
    }  # fmt: skip
    (folder / "clients.json").write_text(json.dumps([client]))
    (folder / "people.json").write_text(json.dumps(people))
    made = Server("127.0.0.1", 0, folder=folder, cards=folder / "cards", trust=folder / "trust")
    stop = threading.Event()
    thread = threading.Thread(target=made.serve_until, args=(stop,))
    thread.start()
    yield made
    stop.set()
    thread.join()
    made.server_close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("idp"), PERSON) as made:
        yield made


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server)


def test_the_token_is_what_a_relying_party_needs(client: Client) -> None:
    answer = client.token()
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    keys = KeySet.import_key_set(requests.get(client.metadata["jwks_uri"], timeout=60).json())
    claims = jwt.decode(body["id_token"], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (client.issuer, "prov", "n" * 43)
    assert (claims["employeeHsaId"], claims["credentialPersonalIdentityNumber"]) == ("TST2321000131-A1", "185001019802")
    assert claims["exp"] - claims["iat"] <= 300
    assert claims["at_hash"] == url64(hashlib.sha256(body["access_token"].encode()).digest()[:16])
    assert not {"d", "p", "q"} & set(keys.keys[0].as_dict(private=False))


@pytest.mark.parametrize(
    "changes", [{"client_id": "x"}, {"redirect_uri": BACK + "x"}, {"redirect_uri": None}, {"client_id": None}]
)
def test_an_unknown_client_or_address_is_sent_nowhere(changes: dict[str, str | None], client: Client) -> None:
    answer = client.request(**changes)
    assert (answer.status_code, "Location" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"state": "kort"}, "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"acr_values": "http://example.org/loa9"}, "invalid_request"),
    ],
)
def test_a_request_that_is_not_safe_goes_back_with_its_error(changes: dict[str, str | None], error: str, client: Client) -> None:
    answer = client.request(**changes)
    assert answer.headers["Location"].startswith(BACK)
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["error"] == [error]


def test_a_code_is_good_once_and_for_its_verifier(client: Client) -> None:
    code = client.code()
    assert client.token(code=code).status_code == 200
    assert client.token(code=code).json() == {"error": "invalid_grant"}
    assert client.token(code_verifier="x" * 43).json() == {"error": "invalid_grant"}
    assert client.token(redirect_uri=AWAY).json() == {"error": "invalid_grant"}
    assert client.token(code="x" * 43).json() == {"error": "invalid_grant"}
    assert client.token(grant_type="password").json() == {"error": "unsupported_grant_type"}


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "x"},
        {"sub": "x"},
        {"aud": "https://other.example.org"},
        {"exp": 1},
        {"exp": int(time.time()) + 7200},
        {"jti": None},
    ],
)
def test_a_client_that_does_not_prove_itself_gets_nothing(changes: dict[str, Any], client: Client) -> None:
    claims = {name: value for name, value in changes.items() if value is not None}
    assertion = client.assertion(**claims)
    if "jti" in changes:
        claims = jwt.decode(assertion, KEY, algorithms=["ES256"]).claims
        del claims["jti"]
        assertion = jwt.encode({"alg": "ES256"}, claims, KEY, algorithms=["ES256"])
    answer = client.token(client_assertion=assertion)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


def test_an_assertion_is_good_once_and_by_the_clients_key(client: Client) -> None:
    assertion = client.assertion()
    assert client.token(client_assertion=assertion).status_code == 200
    assert client.token(client_assertion=assertion).status_code == 401
    assert client.token(client_assertion=client.assertion(STRANGER)).status_code == 401
    assert client.token(client_assertion="x.y.z").status_code == 401
    assert client.token(client_assertion_type=None).status_code == 401


def test_a_log_out_leads_only_where_its_client_is_registered(client: Client) -> None:
    hint = client.token().json()["id_token"]
    form = {"id_token_hint": hint, "client_id": "prov", "post_logout_redirect_uri": AWAY}

    def ends(**changes: str) -> str | None:
        answer = requests.post(f"{client.issuer}/logout", data=form | changes, allow_redirects=False, timeout=60)
        return answer.headers.get("Location")

    assert ends() == AWAY
    assert ends(post_logout_redirect_uri="https://evil.example.org/") is None
    assert ends(id_token_hint="x.y.z") is None
    assert ends(client_id="x") is None


def test_a_form_from_another_page_is_not_taken(client: Client) -> None:
    step = client.issuer + client.request().headers["Location"]
    form = {"person": hashlib.sha256(b"185001019802").hexdigest()[:16]}
    for origin in ("https://evil.example.org", "null", None):
        answer = requests.post(
            f"{step}/person", data=form, headers={"Origin": origin} if origin else {}, allow_redirects=False, timeout=60
        )
        assert answer.status_code == 403


def test_the_key_outlives_the_process_and_is_nobody_elses(server: Server, tmp_path: Path) -> None:
    first = Server("127.0.0.1", 0, folder=tmp_path, cards=tmp_path, trust=tmp_path)
    first.server_close()
    again = Server("127.0.0.1", 0, folder=tmp_path, cards=tmp_path, trust=tmp_path)
    again.server_close()
    assert first.RequestHandlerClass.app.provider.jwks() == again.RequestHandlerClass.app.provider.jwks()  # type: ignore[attr-defined]
    assert (tmp_path / "signing.pem").stat().st_mode & 0o077 == 0


def test_people_are_listed_by_their_groups_and_found_in_them(tmp_path: Path) -> None:
    people = [
        {**PERSON, "given_name": name, "personnummer": f"1850010198{number:02}", **more}
        for number, (name, more) in enumerate([
            ("Ulla", {"role": "Läs, även skyddade personer", "group": "Läs"}),
            ("Bo", {"posts": [{"hsa_id": "TST2120001561-B2", "unit": "Staden"}]}),
            ("Åsa", {"role": "Läs", "group": "Läs"}),
            ("Ingen", {"role": "", "surname": "<b>Alm"}),
        ])
    ]  # fmt: skip

    def listed(answer: requests.Response) -> list[tuple[str, list[str]]]:
        parts = re.findall(r"<h3>(.*?)</h3>(.*?)</ul>", answer.text, re.S)
        return [(heading, re.findall(r"Logga in som </span>(.*?)</span>", rows)) for heading, rows in parts]

    with serving(tmp_path, *people) as server:
        client = Client(server)
        step = client.issuer + client.request().headers["Location"]

        def sought(**form: str) -> requests.Response:
            return requests.post(f"{step}/sok", data=form, headers={"Origin": client.issuer}, timeout=60)

        assert listed(requests.get(step, timeout=60)) == [
            ("Läs", ["Ulla Provsson", "Åsa Provsson"]),
            ("ID-administratör", ["Bo Provsson"]),
            ("Ingen roll i portalen", [html.escape("Ingen <b>Alm")]),
        ]
        assert "Regionen · även skyddade personer</span>" in requests.get(step, timeout=60).text
        assert listed(sought(words="skyddade")) == [("Läs", ["Ulla Provsson"])]
        assert listed(sought(words="staden prov")) == [("ID-administratör", ["Bo Provsson"])]
        found = sought(words="", group="Läs")
        assert listed(found) == [("Läs", ["Ulla Provsson", "Åsa Provsson"])]
        assert "Visar 2 av 4." in found.text
        assert "<option selected>Läs</option>" in found.text
        assert "Ingen testperson passar." in sought(words="bo", group="Läs").text
        assert "Ingen testperson passar." in sought(words="", group="<script>").text


def test_a_bad_address_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import CommandError, call_command

    for options in ({"bind": "x"}, {"bind": "127.0.0.1:99999"}, {"issuer": "ftp://x"}):
        with pytest.raises(CommandError) as caught:
            call_command("idp_simulator", **options)
        assert caught.value.returncode == 2
