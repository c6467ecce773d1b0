"""PUKs in the token's keeping: opened by the worker alone, bound to their row, and nowhere in plain."""

import base64
import json
import secrets as random
import subprocess

import pytest
import structlog
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import connection, transaction
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pki.domain import jwe as jwe_format
from pki.hsm import HsmSealBroken, HsmUnavailable
from pki.models import Event, HsmKey, Secret
from pki.secrets import received as secrets
from pki.secrets import sealing
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid, NotFound

PUK = "90417735"
PLAINTEXT = PUK.encode()
SERIAL = "9752269999999999999"
ORDER = "01930000-0000-7000-8000-000000000001"
CARD_KEY = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def un64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encrypt(jwk, plaintext=PLAINTEXT, **header) -> str:
    """A supplier's side of RFC 7516 with ECDH-ES and A256GCM, written from the RFC and not with the code under test."""
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(un64(jwk["x"])), int.from_bytes(un64(jwk["y"])), ec.SECP256R1())
    ephemeral = ec.generate_private_key(ec.SECP256R1())
    public = ephemeral.public_key().public_numbers()
    epk = {"kty": "EC", "crv": "P-256", "x": b64(public.x.to_bytes(32)), "y": b64(public.y.to_bytes(32))}
    protected = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": jwk["kid"], "epk": epk, "order": ORDER, "serial": SERIAL} | header
    protected = {name: value for name, value in protected.items() if value is not None}
    text = b64(json.dumps(protected).encode())
    algorithm = b"A256GCM"
    info = len(algorithm).to_bytes(4) + algorithm + bytes(4) + bytes(4) + (256).to_bytes(4)
    shared = ephemeral.exchange(ec.ECDH(), numbers.public_key())
    key = ConcatKDFHash(hashes.SHA256(), 32, info).derive(shared)
    iv = random.token_bytes(12)
    sealed = AESGCM(key).encrypt(iv, plaintext, text.encode())
    return ".".join([text, "", b64(iv), b64(sealed[:-16]), b64(sealed[-16:])])


def plan(jwe, owner="carrier:1", **expected):
    with transaction.atomic(durable=True):
        return secrets.plan_secret(
            jwe, expected_header={"order": ORDER, "serial": SERIAL} | expected, card_key_spki=CARD_KEY, owner_ref=owner,
            actor_ref="client:supplier",
        )  # fmt: skip


@pytest.fixture
def jwk(world):
    world.secret_keys()
    (found,) = secrets.secret_jwks()["keys"]
    return found


def test_the_key_set_is_public_and_needs_no_token(jwk, settings, world):
    settings.PKCS11_PIN_FILE = ""
    assert set(jwk) == {"kty", "crv", "x", "y", "use", "alg", "kid"}
    assert (jwk["kty"], jwk["crv"], jwk["alg"], jwk["use"], jwk["kid"]) == ("EC", "P-256", "ECDH-ES", "enc", world.keys.derive)
    assert secrets.secret_jwks() == {"keys": [jwk]}


def test_a_secret_is_stored_as_received_then_sealed(jwk):
    jwe = encrypt(jwk)
    secret_id = plan(jwe)
    assert secrets.secret_state(secret_id) == "received"
    assert Secret.objects.get().jwe == jwe
    assert sealing.open_secrets() == 1
    secret = Secret.objects.get()
    assert (secret.id, secret.state, secret.jwe, secret.failure) == (secret_id, "sealed", None, "")
    assert PUK.encode() not in bytes(secret.sealed)
    assert sealing.open_sealed(secret) == PUK.encode()
    assert list(Event.objects.order_by("id").values_list("action", "actor_ref")) == [
        ("secret.received", "client:supplier"),
        ("secret.sealed", "system:pki"),
    ]
    assert sealing.open_secrets() == 0


def test_a_library_as_the_supplier_is_understood(jwk):
    """An independent implementation of JWE makes the message."""
    from joserfc import jwe as joserfc_jwe
    from joserfc.jwk import ECKey

    public = {name: jwk[name] for name in ("kty", "crv", "x", "y")}
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": jwk["kid"], "order": ORDER, "serial": SERIAL}
    registry = joserfc_jwe.JWERegistry(strict_check_header=False)
    jwe = joserfc_jwe.encrypt_compact(header, PUK, ECKey.import_key(public), registry=registry)
    plan(jwe)
    sealing.open_secrets()
    assert sealing.open_sealed(Secret.objects.get()) == PUK.encode()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"order": "another"}, "header-mismatch"),
        ({"serial": "9752269999999999998"}, "header-mismatch"),
        ({"serial": None}, "header-mismatch"),
        ({"plaintext": b""}, "format"),
        ({"plaintext": b"1234567"}, "format"),
        ({"plaintext": b"9" * 17}, "format"),
        ({"plaintext": b"12345678\n"}, "format"),
        ({"plaintext": b'"12345678"'}, "format"),
        ({"plaintext": "١٢٣٤٥٦٧٨".encode()}, "format"),
    ],
)
def test_what_is_not_as_expected_is_refused_and_erased(jwk, change, reason):
    secret_id = plan(encrypt(jwk, **change))
    assert sealing.open_secrets() == 1
    secret = Secret.objects.get()
    assert (secrets.secret_state(secret_id), secret.failure, secret.jwe, secret.sealed) == ("refused", reason, None, None)
    event = Event.objects.get(action="secret.refused")
    assert event.facts == {"reason": reason}


@pytest.mark.parametrize("part", [0, 2, 3, 4])
def test_changed_bytes_are_refused(jwk, part):
    parts = encrypt(jwk).split(".")
    if part == 0:
        header = json.loads(un64(parts[0]))
        parts[0] = b64(json.dumps(header | {"extra": 1}).encode())
    else:
        content = bytearray(un64(parts[part]))
        content[0] ^= 1
        parts[part] = b64(bytes(content))
    plan(".".join(parts))
    sealing.open_secrets()
    assert Secret.objects.get().failure == "not-decrypted"


def test_a_blob_moved_to_another_row_does_not_open(jwk):
    """Whoever may write the table still cannot give one card's PUK to another (S23)."""
    for owner in ("carrier:1", "carrier:2"):
        plan(encrypt(jwk, plaintext=owner[-1].encode() * 8), owner=owner)
    sealing.open_secrets()
    first, second = Secret.objects.order_by("created_at")
    first.sealed, second.sealed = second.sealed, first.sealed
    for moved in (first, second):
        with pytest.raises(HsmSealBroken):
            sealing.open_sealed(moved)
    restored = Secret.objects.get(id=first.id)
    assert sealing.open_sealed(restored) == b"1" * 8
    restored.owner_ref = "carrier:2"
    with pytest.raises(HsmSealBroken):
        sealing.open_sealed(restored)


@pytest.mark.parametrize(
    "jwe",
    ["", "a.b.c", "....", "e30....", "x" * 9000, "é.a.b.c.d", "e30.key.AAAA.AAAA.AAAA", b64(b"[" * 4000) + "...."],
    ids=range(8),
)
def test_what_is_no_jwe_is_refused_at_the_door(jwk, jwe):
    with pytest.raises(Invalid) as error:
        plan(jwe)
    assert (error.value.code, list(error.value.fields)) == ("jwe-malformed", ["jwe"])
    assert not Secret.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "ECDH-ES+A256KW"},
        {"alg": "dir"},
        {"enc": "A128GCM"},
        {"kid": None},
        {"kid": 7},
        {"zip": "DEF"},
        {"crit": ["exp"]},
        {"epk": None},
        {"epk": {"kty": "EC", "crv": "P-256", "x": b64(bytes(32)), "y": b64(bytes(32))}},
        {"epk": {"kty": "EC", "crv": "P-384", "x": b64(bytes(48)), "y": b64(bytes(48))}},
        {"apu": 3},
    ],
    ids=str,
)
def test_other_kinds_of_jwe_are_refused_at_the_door(jwk, header):
    with pytest.raises(Invalid) as error:
        plan(encrypt(jwk, **header))
    assert error.value.code == "jwe-malformed"


def test_an_unknown_key_is_refused_at_the_door(jwk):
    with pytest.raises(Invalid) as error:
        plan(encrypt(jwk, kid="00" * 20))
    assert error.value.code == "jwe-key-unknown"


def test_a_key_that_is_not_in_the_key_set_any_more_is_refused_at_the_door(jwk):
    HsmKey.objects.filter(key_id=jwk["kid"]).update(retired_at=clock.now())
    assert secrets.secret_jwks() == {"keys": []}
    with pytest.raises(Invalid) as error:
        plan(encrypt(jwk))
    assert error.value.code == "jwe-key-unknown"


@hypothesis_settings(max_examples=300, deadline=None, derandomize=True)
@given(st.one_of(st.text(max_size=200), st.lists(st.text("AQg-_09=", max_size=40), min_size=4, max_size=6).map(".".join)))
def test_garbage_is_malformed_and_nothing_else(text):
    with pytest.raises(jwe_format.MalformedJwe):
        jwe_format.parse(text)


def test_a_token_that_does_not_answer_loses_nothing(jwk, settings):
    plan(encrypt(jwk))
    pin = settings.PKCS11_PIN_FILE
    HsmKey.objects.filter(purpose="kek").update(token_label="no-such-token")
    assert sealing.open_secrets() == 0
    assert Secret.objects.get().state == "received"
    HsmKey.objects.filter(purpose="kek").update(token_label="status-tests")
    assert pin
    assert sealing.open_secrets() == 1


def test_secrets_that_the_token_fails_at_do_not_keep_the_others_waiting(jwk, monkeypatch):
    """Two that never open, and a run that takes one: the third has its turn all the same."""
    stuck = {plan(encrypt(jwk)), plan(encrypt(jwk))}
    third = plan(encrypt(jwk))
    settle = sealing._settle

    def failing(secret):
        if secret.id in stuck:
            raise HsmUnavailable("no answer")
        return settle(secret)

    monkeypatch.setattr(sealing, "_settle", failing)
    assert [sealing.open_secrets(limit=1) for _ in range(3)] == [0, 0, 1]
    assert secrets.secret_state(third) == "sealed"
    Secret.objects.filter(id__in=stuck).update(attempts=sealing._MOST_ATTEMPTS)
    assert sealing.open_secrets() == 0
    stuck.clear()
    assert sealing.open_secrets() == 2


def test_destroying_overwrites_everything_of_the_owner(jwk):
    received, sealed, other = plan(encrypt(jwk)), plan(encrypt(jwk)), plan(encrypt(jwk), owner="carrier:2")
    sealing.open_secrets([sealed, other])
    with transaction.atomic(durable=True):
        assert secrets.destroy_secrets("carrier:1", actor_ref="user:1") == 2
        assert secrets.destroy_secrets("carrier:1", actor_ref="user:1") == 0
    for secret_id in (received, sealed):
        secret = Secret.objects.get(id=secret_id)
        assert (secret.state, secret.jwe, secret.sealed) == ("destroyed", None, None)
    assert Secret.objects.get(id=other).state == "sealed"
    assert Event.objects.filter(action="secret.destroyed", actor_ref="user:1").count() == 2
    assert sealing.open_secrets() == 0


def test_a_secret_destroyed_while_the_token_works_stays_destroyed(jwk, monkeypatch):
    plan(encrypt(jwk))
    plaintext = sealing._plaintext

    def slow(secret):
        with transaction.atomic(durable=True):
            secrets.destroy_secrets("carrier:1")
        return plaintext(secret)

    monkeypatch.setattr(sealing, "_plaintext", slow)
    assert sealing.open_secrets() == 0
    secret = Secret.objects.get()
    assert (secret.state, secret.jwe, secret.sealed) == ("destroyed", None, None)


def test_an_unknown_secret_has_no_state(world):
    with pytest.raises(NotFound):
        secrets.secret_state(world.root.certificates.first().id)


def test_the_plaintext_is_in_no_table_log_or_queue(jwk, capfd):
    import redis
    from django.conf import settings

    with structlog.testing.capture_logs() as logs:
        plan(encrypt(jwk))
        plan(encrypt(jwk, order="another"))
        sealing.open_secrets()
    host, database = connection.settings_dict["OPTIONS"]["host"], connection.settings_dict["NAME"]
    dump = subprocess.run(["pg_dump", "-h", host, "-U", "postgres", database], capture_output=True, check=True).stdout
    assert b"pki_secret" in dump
    assert str(Secret.objects.first().id).encode() in dump
    queue = redis.Redis.from_url(settings.REDIS_URL)
    messages = [json.loads(item) for item in queue.lrange("pki", 0, -1)]
    queued = repr([(message["headers"], base64.b64decode(message["body"])) for message in messages]).encode()
    assert b"pki.open_secrets" in queued
    printed = capfd.readouterr()
    for place in (dump, queued, repr(logs).encode(), printed.out.encode(), printed.err.encode()):
        for form in (PUK.encode(), PUK.encode().hex().encode(), base64.b64encode(PUK.encode())):
            assert form not in place
