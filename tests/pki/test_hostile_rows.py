"""A process that serves the web was taken over: it writes what it likes to the tables, and the worker signs none of it (S26).

Every row here is inserted by the application's own role, which each face has.
"""

import dataclasses
import datetime as dt
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import transaction

from pki.authorities import stored_profiles
from pki.authorities.queries import issuer_of
from pki.domain import serials, tbs
from pki.domain.profile import Profile
from pki.domain.profiles import PROFILES
from pki.domain.tbs import Content
from pki.issuing import planning, signing
from pki.models import Certificate, CertificateAuthority, CertificateBlob, ProfileVersion
from siths_portal.lib import clock
from tests.pki import orders
from tests.pki.issuing.soak_cast import Stage, signatures_logged
from tests.pki.orders import csr, order, plan
from tests.pki_fixtures import tampering

pytestmark = pytest.mark.django_db(transaction=True)
CA = "person-hsaid-3"


def authority(slug: str = CA) -> CertificateAuthority:
    return CertificateAuthority.objects.current(slug)


def version(profile: Profile) -> ProfileVersion:
    """A version of the attacker's making."""
    return ProfileVersion.objects.create(
        name=profile.name, version=profile.version, sha256=profile.sha256, definition=profile.definition(), created_at=clock.now()
    )


def policies(profile: Profile) -> tuple[str, ...]:
    """What the profile wants, whatever that is."""
    return tuple(profile.policies(CA, orders.HSA_SUBJECT, settings.PKI_POLICY_ARC, clock.now()))


def content(profile: Profile, **changes) -> Content:
    now = clock.now().replace(microsecond=0)
    values = {
        "subject": orders.HSA_SUBJECT,
        "alternative": {},
        "public_key": ec.generate_private_key(ec.SECP256R1()).public_key(),
        "serial": 0,
        "not_before": now,
        "not_after": now + dt.timedelta(days=20),
        "policies": (),
        "card_number": orders.CARD if profile.card_number else None,
    }
    return Content(**values | changes)


def reserve(profile: Profile, stored: ProfileVersion, **changes) -> Certificate:
    """A reserved row with bytes that fit the profile."""
    row = planning.reserve_row(authority(), issuer_of(authority()), profile, content(profile, **changes), clock.now())
    row.profile_version, row.subject_ref = stored, "person:evil"
    row.save(force_insert=True)
    return row


def signs_nothing(row: Certificate, tmp_path) -> None:
    """The worker's every way to it leaves it unsigned."""
    folder = tmp_path / "log"
    folder.mkdir()
    stage = Stage(folder)
    with signatures_logged(stage):
        signing.sign_reserved([row.id], answers=False)
        signing.settle()
        with clock.moved_to(clock.now() + dt.timedelta(hours=3)):
            signing.settle()
    assert bytes(row.tbs_der).hex() not in {line[0] for line in stage.log("signatures").read()}
    assert not CertificateBlob.objects.filter(certificate=row).exists()
    assert Certificate.objects.get(id=row.id).status != "issued"


@pytest.mark.parametrize(
    "own",
    [
        {"basic_constraints": True, "path_length": 0, "key_usage": ("keyCertSign", "cRLSign"), "extended_key_usage": ()},
        {"no_check": True, "extended_key_usage": ("1.3.6.1.5.5.7.3.9",)},
        {"extended_key_usage": ("1.3.6.1.5.5.7.3.3",)},
        {"max_days": 20_000},
        {"policy_table": (), "issuers": {CA: {"any": "2.3.1"}}},
    ],
    ids=["ca", "responder", "code-signing", "for-ever", "another-level"],
)
def test_a_profile_of_ones_own_making_is_not_signed_by(demo_pki, tmp_path, own):
    profile = dataclasses.replace(PROFILES["person-hsaid-auth"], version=77, **own)
    signs_nothing(reserve(profile, version(profile), policies=policies(profile)), tmp_path)


def test_a_definition_under_a_known_name_and_hash_is_not_signed_by(demo_pki, tmp_path):
    """The hash is computed from the definition, not believed."""
    honest = PROFILES["person-hsaid-auth"]
    profile = dataclasses.replace(honest, extended_key_usage=("1.3.6.1.5.5.7.3.3",))
    stored = ProfileVersion.objects.create(
        name=honest.name, version=honest.version, sha256=honest.sha256, definition=profile.definition(), created_at=clock.now()
    )
    signs_nothing(reserve(profile, stored, policies=policies(profile)), tmp_path)


def test_a_responder_is_certified_for_a_key_of_the_token_alone(demo_pki, tmp_path):
    """Whoever had such a certificate could call every revoked one good."""
    profile = PROFILES["ocsp-signer"]
    with transaction.atomic():
        stored = stored_profiles.versions([profile.name])[profile.name]
    subject = {"countryName": "SE", "organizationName": "Demo AB", "commonName": "Evil OCSP"}
    signs_nothing(reserve(profile, stored, subject=subject), tmp_path)


@pytest.mark.parametrize("lie", ["serial", "spki_sha256", "not_after", "not_before"])
def test_a_row_that_says_something_else_than_its_bytes_is_not_signed(demo_pki, tmp_path, lie):
    """By such a row one serial would stand for two certificates, a compromised key go unseen, an entry leave the CRL too soon."""
    (signed,) = plan(order())
    assert signing.sign_reserved([signed]) == 1
    first = Certificate.objects.get(id=signed)
    (second,) = Certificate.objects.filter(id__in=plan(order(csr_der=csr(), subject_ref="person:2"))).select_related(
        "profile_version"
    )
    copied = "ca_id profile_version_id tbs_der tbs_sha256 spki_sha256 not_before not_after created_at"
    values = {name: getattr(second, name) for name in copied.split()}
    other = {
        "spki_sha256": hashlib.sha256(b"another key").hexdigest(),
        "not_after": second.not_after - dt.timedelta(days=600),
        "not_before": second.not_before - dt.timedelta(days=600),
    }
    serial = serials.text(serials.time_random(int(clock.now().timestamp() * 1000)))
    if lie == "serial":
        # The bytes speak of the serial of the certificate that was signed first.
        parsed = x509.load_der_x509_certificate(tbs.assemble(bytes(second.tbs_der), bytes(8)))
        old, new = parsed.serial_number.to_bytes(15), int(first.serial, 16).to_bytes(15)
        forged = bytes(second.tbs_der).replace(old, new)
        assert forged != bytes(second.tbs_der)
        values |= {"tbs_der": forged, "tbs_sha256": hashlib.sha256(forged).hexdigest()}
    else:
        values[lie] = other[lie]
        # The honest row goes, so that its serial is free for the one that lies.
        serial = second.serial
        with tampering() as cursor:
            cursor.execute("UPDATE pki_certificate SET serial = 'AA' WHERE id = %s", [str(second.id)])
    row = Certificate.objects.create(serial=serial, subject_ref="person:2", **values)
    Certificate.objects.filter(id=second.id).update(status="failed")
    signs_nothing(row, tmp_path)
