"""Keys that were moved into the token: accepted when they prove to be the certificate's, and then used as others are."""

import datetime as dt
import hashlib
import os
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.db import IntegrityError, transaction
from pkcs11 import Attribute, ObjectClass

from pki.hsm import HsmConfigError, HsmKeyMissing, Scheme, hsm_for, inventory
from pki.hsm.keys import verify
from pki.hsm.module import module
from pki.hsm.token_keys import accept_imported
from pki.models import Event, HsmKey
from tests.pki_fixtures import TEST_PIN

pytestmark = pytest.mark.django_db(transaction=True)

DOCUMENT = hashlib.sha256(b"the ceremony's document").hexdigest()
KEY_ID = "0a1b2c"  # as another system chose it


def certificate(key) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Moved CA")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def move_in(key, tmp_path, *, key_id: str = KEY_ID, label: str = "moved/ca") -> None:
    """As an operator does who has the key from another HSM."""
    path = tmp_path / "key.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    command = ["softhsm2-util", "--import", str(path), "--token", settings.PKCS11_TOKEN, "--pin", TEST_PIN]
    subprocess.run([*command, "--label", label, "--id", key_id], check=True, capture_output=True, env=os.environ)


def accept(der: bytes, **changes) -> HsmKey:
    given = {"key_id": KEY_ID, "certificate_der": der, "ceremony_sha256": DOCUMENT, "actor_ref": "test"} | changes
    return accept_imported(hsm_for(settings.PKCS11_TOKEN), **given)


@pytest.fixture(params=["rsa", "ec"])
def key(request, own_tokens):
    return rsa.generate_private_key(65537, 2048) if request.param == "rsa" else ec.generate_private_key(ec.SECP384R1())


def test_a_moved_key_is_accepted_recorded_and_signs(key, tmp_path):
    move_in(key, tmp_path)
    row = accept(certificate(key))
    assert (row.provenance, row.ceremony_sha256, row.label) == ("imported", DOCUMENT, "moved/ca")
    assert row.attributes["LOCAL"] is False
    assert row.attributes["NEVER_EXTRACTABLE"] is False
    event = Event.objects.get(action="key.imported")
    assert (event.subject_ref, event.facts["ceremony_sha256"]) == (KEY_ID, DOCUMENT)
    scheme = Scheme.RSA_SHA256 if isinstance(key, rsa.RSAPrivateKey) else Scheme.ECDSA_SHA384
    token = hsm_for(settings.PKCS11_TOKEN)
    verify(key.public_key(), token.sign(KEY_ID, b"x", scheme), b"x", scheme)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(token.private_key(KEY_ID), hashes.SHA256())
    assert request.is_signature_valid
    assert request.public_key() == key.public_key()
    assert accept(certificate(key)) == row  # repeatable
    assert Event.objects.filter(action="key.imported").count() == 1
    assert inventory.run().ok


def test_a_key_of_another_certificate_is_refused(key, tmp_path):
    move_in(key, tmp_path)
    with pytest.raises(HsmConfigError, match="not the certificate's"):
        accept(certificate(ec.generate_private_key(ec.SECP256R1())))
    assert not HsmKey.objects.exists()


def test_a_public_half_that_belongs_to_another_key_is_found_by_the_challenge(own_tokens, tmp_path):
    """The token shows the certificate's public key, and the private key beside it is another."""
    true, false = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    move_in(true, tmp_path, key_id="aa", label="true")
    move_in(false, tmp_path, key_id=KEY_ID, label="false")
    hsm_for(settings.PKCS11_TOKEN).random(1)
    session = module(settings.PKCS11_MODULE, "auto").lib.get_token(token_label=settings.PKCS11_TOKEN).open(rw=True)
    session.get_key(object_class=ObjectClass.PUBLIC_KEY, id=bytes.fromhex(KEY_ID)).destroy()
    session.get_key(object_class=ObjectClass.PUBLIC_KEY, id=b"\xaa").copy({Attribute.ID: bytes.fromhex(KEY_ID)})
    session.close()
    with pytest.raises(HsmConfigError, match="does not verify"):
        accept(certificate(true))
    assert not HsmKey.objects.exists()


def test_a_key_that_is_not_there_is_missing(key):
    with pytest.raises(HsmKeyMissing):
        accept(certificate(key))


def test_a_key_that_can_leave_the_token_is_refused(own_tokens):
    numbers = ec.generate_private_key(ec.SECP256R1())
    values = numbers.private_numbers()
    point = b"\x04" + values.public_numbers.x.to_bytes(32) + values.public_numbers.y.to_bytes(32)
    from pkcs11 import KeyType
    from pkcs11.util.ec import encode_named_curve_parameters

    hsm_for(settings.PKCS11_TOKEN).random(1)
    session = module(settings.PKCS11_MODULE, "auto").lib.get_token(token_label=settings.PKCS11_TOKEN).open(rw=True)
    common = {
        Attribute.KEY_TYPE: KeyType.EC, Attribute.TOKEN: True, Attribute.ID: bytes.fromhex(KEY_ID), Attribute.LABEL: "loose",
        Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1"),
    }  # fmt: skip
    loose = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.VALUE: values.private_value.to_bytes(32), Attribute.SIGN: True}
    session.create_object(common | loose | {Attribute.EXTRACTABLE: True})
    session.create_object(common | {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.EC_POINT: b"\x04\x41" + point})
    session.close()
    with pytest.raises(HsmConfigError, match="EXTRACTABLE"):
        accept(certificate(numbers))
    assert not HsmKey.objects.exists()


def test_one_key_has_one_provenance(own_tokens, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    move_in(key, tmp_path)
    accept(certificate(key))
    with pytest.raises(HsmConfigError, match="known otherwise"):
        accept(certificate(key), ceremony_sha256="ab" * 32)
    with pytest.raises(IntegrityError), transaction.atomic():
        HsmKey.objects.update(ceremony_sha256="")
