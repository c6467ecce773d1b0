"""What a supplier reads beside its orders: itself, articles, its card customisations; and how often it may call."""

import datetime as dt
import hashlib
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes

from issuance.articles.models import Article
from issuance.customisations.models import CardCustomisation
from siths_portal.lib import clock
from tests.issuance.suppliers.api.test_clients import code
from tests.issuance.suppliers.api.test_surface import logotype, png
from tests.issuance.suppliers.api.world import World
from tests.tls import DAY

pytestmark = pytest.mark.django_db(transaction=True)


def pages(client, path: str, name: str, key: str) -> list[str]:
    """The keys of all entries, read with two on a page."""
    found, cursor = [], ""
    while True:
        answer = client("GET", f"{path}?limit=2{cursor}")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert len(body[name]) <= 2
        found += [entry[key] for entry in body[name]]
        if body["next_cursor"] is None:
            return found
        cursor = f"&cursor={body['next_cursor']}"


def test_a_supplier_reads_who_it_is_and_until_when(stage, a) -> None:
    certificate = stage.identities["a"].certificate
    body = a("GET", "me").json()
    assert (body["client_ref"], body["name"], body["delivery"], body["versions"]) == ("a", "Leverantör a", "pull", ["v1"])
    shown = body["certificate"]
    assert shown["serial"] == f"{certificate.serial_number:X}"
    assert shown["sha256"] == certificate.fingerprint(hashes.SHA256()).hex()
    assert dt.datetime.fromisoformat(shown["not_after"]) == certificate.not_valid_after_utc
    assert body["limits"]["calls_per_minute"] == 12_000
    assert body["limits"]["body_bytes"] == 2 * 1024**2, "the limit of the TLS proxy, which comes first"


def test_articles_that_can_be_ordered_are_listed_by_code(world: World, a) -> None:
    assert pages(a, "articles", "articles", "code") == ["631", "631-REK", "677"]
    Article.objects.filter(code="631").update(valid_to=clock.today() - DAY)
    Article.objects.filter(code="677").update(valid_to=clock.today())
    assert pages(a, "articles", "articles", "code") == ["631-REK", "677"]
    tag = a("GET", "articles").headers["ETag"]
    assert a("GET", "articles", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("path", ["articles", "card-customisations"])
def test_a_cursor_or_limit_that_is_none_is_refused(a, path: str) -> None:
    assert code(a("GET", f"{path}?cursor=WzFd")) == "cursor-invalid"  # [1]
    assert code(a("GET", f"{path}?cursor=x")) == "cursor-invalid"
    assert code(a("GET", f"{path}?limit=201")) == "invalid"


def test_a_supplier_lists_its_own_customisations_and_those_of_its_orders(world: World, a, b) -> None:
    now = clock.now()
    for number in ("0000000001", "9999999999"):
        CardCustomisation.objects.create(customisation_id=number, name="K", supplier_ref="a", verified_at=now)
    CardCustomisation.objects.create(customisation_id="5555555555", name="K", supplier_ref="b", verified_at=now)
    assert pages(a, "card-customisations", "customisations", "id") == ["0000000001", "7837803902", "9999999999"]
    world.order(1)
    CardCustomisation.objects.filter(customisation_id="7837803902").update(supplier_ref="b")
    assert "7837803902" in pages(a, "card-customisations", "customisations", "id"), "an order of it is under way"
    assert pages(b, "card-customisations", "customisations", "id") == ["5555555555", "7837803902"]


def test_a_logotype_is_read_by_the_supplier_that_makes_the_cards_alone(world: World, a, b) -> None:
    path = "card-customisations/7837803902"
    assert code(a("GET", f"{path}/logotype")) == "logotype-none"
    a("PUT", path, json=logotype(png()), headers={"If-Match": "*"})
    read = a("GET", f"{path}/logotype")
    assert (read.headers["Content-Type"], read.content) == ("image/png", png())
    assert hashlib.sha256(read.content).hexdigest() == a("GET", path).json()["logotype_sha256"]
    assert a("GET", f"{path}/logotype", headers={"If-None-Match": read.headers["ETag"]}).status_code == 304
    hidden, missing = b("GET", f"{path}/logotype"), b("GET", "card-customisations/0000000000/logotype")
    assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content) == (404, missing.content)


def test_a_supplier_has_its_own_calls_in_a_minute(client, stage, settings) -> None:
    settings.ROOT_URLCONF = "siths_portal.wiring.urls_api"
    settings.MTLS_CERTIFICATE_HEADER = "X-SSL-Client-Cert"
    settings.SUPPLIER_API_CALLS_PER_MINUTE = 3

    def ask(name: str, path: str):
        header = {"X-SSL-Client-Cert": quote(stage.identities[name].pem.decode()), "Accept-Language": "en"}
        return client.get(f"/api/supplier/v1/{path}", headers=header)

    with clock.moved_to(clock.now() + DAY / 2):
        answers = [ask("a", path) for path in ("me", "articles", "orders", "me")]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429], "one limit for all calls"
        assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
        assert answers[0].headers["RateLimit-Policy"] == '"minute";q=3;w=60'
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        body = answers[-1].json()
        assert (body["code"], body["detail"]) == (
            "throttled", "The client has made too many calls. Wait for Retry-After and repeat the call."
        )  # fmt: skip
        assert ask("b", "me").status_code == 200
