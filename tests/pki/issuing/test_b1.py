"""B1.1 to B1.13, each proven from outside: on certificates as issued, read by other parsers than the builder's own."""

import dataclasses
import datetime as dt
import hashlib
import math
import subprocess
from collections import Counter

import pytest
from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509.oid import NameOID
from django.db import IntegrityError, transaction
from django.test import Client

from pki import service
from pki.domain import serials
from pki.domain.profiles import PROFILES
from pki.issuing import key_checks, signing
from pki.models import Certificate, CertificateAuthority, CertificateBlob
from siths_portal.lib import checks, clock
from siths_portal.lib.errors import Conflict, Invalid
from tests.pki import orders
from tests.pki.authorities import golden
from tests.pki.orders import csr, order, plan

cells = pytest.mark.parametrize(("profile", "issuer_key", "subject_key"), golden.matrix(), ids=map("/".join, golden.matrix()))


def issue(*wanted: service.CertificateOrder) -> list[bytes]:
    """DER of the certificates, signed in the token."""
    ids = plan(*wanted)
    assert signing.sign_reserved(ids) == len(ids)
    return [view.der for view in service.certificates(ids)]


def tbs_of(der: bytes) -> asn1_x509.TbsCertificate:
    return asn1_x509.Certificate.load(der, strict=True)["tbs_certificate"]


def extensions(der: bytes) -> dict[str, tuple[bool, core.Asn1Value]]:
    """Extensions by asn1crypto's names, or OIDs, with criticality and parsed value."""
    return {each["extn_id"].native: (each["critical"].native, each["extn_value"].parsed) for each in tbs_of(der)["extensions"]}


def openssl(der: bytes, *options: str) -> str:
    command = ["openssl", "x509", "-inform", "DER", "-noout", *options]
    return subprocess.run(command, input=der, capture_output=True, check=True).stdout.decode()


def refused(error, *wanted: service.CertificateOrder):
    before = Certificate.objects.count()
    with pytest.raises(error) as caught:
        plan(*wanted)
    assert Certificate.objects.count() == before
    return caught.value


# --- B1.1: serials ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["time_random", "random"])
def test_b1_1_half_a_million_serials_are_positive_short_random_and_different(mode):
    now = int(clock.now().timestamp() * 1000)
    draws = 500_000
    drawn = [serials.random() if mode == "random" else serials.time_random(now) for _ in range(draws)]
    assert len(set(drawn)) == draws
    octets = {(number.bit_length() // 8 + 1) for number in drawn}
    assert octets == ({16} if mode == "random" else {15})
    for number in drawn[:: draws // 500]:
        encoded = core.Integer(number).dump()
        assert (encoded[0], encoded[1]) == (2, len(encoded) - 2)
        assert encoded[1] <= 20
        assert 0 < encoded[2] < 0x80  # positive, and no octet more than is needed
    # At least 64 bits that nobody can guess: each is set in half of the numbers, within eight standard deviations.
    octets_of_all = b"".join(number.to_bytes(16, "little") for number in drawn)
    for place in range(9):
        times = Counter(octets_of_all[place::16])
        for bit in range(8):
            ones = sum(count for octet, count in times.items() if octet >> bit & 1)
            assert abs(ones - draws / 2) < 8 * math.sqrt(draws) / 2


def test_b1_1_the_time_of_a_serial_is_the_time_of_issuance(demo_pki):
    before = clock.now()
    (der,) = issue(order())
    number = tbs_of(der)["serial_number"].contents
    assert len(number) == 15
    drawn = dt.datetime.fromtimestamp(int.from_bytes(number[:6]) / 1000, dt.UTC)
    assert before - dt.timedelta(seconds=1) <= drawn <= clock.now()


@pytest.mark.parametrize("mode", ["time_random", "random"])
def test_b1_1_a_ca_keeps_its_own_way_and_openssl_reads_the_same_number(demo_pki, mode):
    CertificateAuthority.objects.filter(slug="person-hsaid-3").update(serial_mode=mode)
    ids = plan(*[order(csr_der=csr()) for _ in range(20)])
    signing.sign_reserved(ids)
    views = service.certificates(ids)
    assert len({view.serial for view in views}) == 20
    for view in views:
        assert openssl(view.der, "-serial") == f"serial={view.serial}\n"
        assert len(view.serial) == (32 if mode == "random" else 30)
        assert len(tbs_of(view.der)["serial_number"].contents) == len(view.serial) // 2


def test_b1_1_no_serial_twice_under_a_name_also_when_the_ca_is_renewed(demo_pki):
    """An issuer's name belongs to one row for ever, its key's successor has another, and serials are unique within the row."""
    (id_,) = plan(order())
    row = Certificate.objects.select_related("ca").get(id=id_)
    values = {"not_before": row.not_before, "not_after": row.not_after, "created_at": row.created_at}
    with pytest.raises(IntegrityError), transaction.atomic():
        Certificate.objects.create(ca=row.ca, serial=row.serial, **values)
    ca = row.ca
    ca.pk, ca.generation, ca._state.adding = None, ca.generation + 1, True
    with pytest.raises(IntegrityError), transaction.atomic():
        ca.save()


# --- B1.2 and B1.4: what is copied from the issuer ------------------------------------------------------------------------


@cells
def test_b1_2_the_issuers_name_is_its_subject_byte_for_byte(profile, issuer_key, subject_key):
    made = golden.golden(profile, issuer_key, subject_key)
    assert tbs_of(made.der)["issuer"].dump() == tbs_of(made.above[0])["subject"].dump()


def elsewhere_made_ca() -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    """A CA as another system makes it: names in PrintableString, and a key identifier that is no hash of the key."""
    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Demo AB", _type=x509.name._ASN1Type.PrintableString),
            x509.NameAttribute(NameOID.COMMON_NAME, "Imported CA v1", _type=x509.name._ASN1Type.T61String),
        ]
    )
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(4711).not_valid_before(golden.NOW).not_valid_after(golden.CA_END)
    builder = builder.add_extension(x509.BasicConstraints(True, 0), True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier(b"\x0f" * 8), False)
    return builder.sign(key, golden.tbs.HASHES["sha384"]).public_bytes(Encoding.DER), key


def under_elsewhere_made_ca() -> tuple[bytes, bytes]:
    ca, key = elsewhere_made_ca()
    issuer = golden.issuer_of("person-id-3", ca)
    public = golden.private_key("ec-p256", 3).public_key()
    policies = (f"{golden.ARC}.2.3.1",)
    end = golden.NOW + dt.timedelta(days=700)
    content = golden.Content(orders.PERSON_SUBJECT, {}, public, golden.serial(), golden.NOW, end, policies, orders.CARD)
    return golden.make(PROFILES["person-id-auth"], issuer, key, content), ca


def test_b1_2_string_types_of_an_imported_ca_are_kept():
    der, ca = under_elsewhere_made_ca()
    assert tbs_of(der)["issuer"].dump() == tbs_of(ca)["subject"].dump()
    kinds = [type(rdn[0]["value"].chosen).__name__ for rdn in list(tbs_of(der)["issuer"].chosen)[1:]]
    assert kinds == ["PrintableString", "NotReallyTeletexString"]  # asn1crypto's name of T61String


def test_b1_4_the_key_identifier_is_copied_and_not_computed():
    der, ca = under_elsewhere_made_ca()
    assert extensions(der)["authority_key_identifier"][1]["key_identifier"].native == b"\x0f" * 8
    assert extensions(ca)["key_identifier"][1].native == b"\x0f" * 8


@cells
def test_b1_4_the_key_identifier_alone_names_the_issuers_key(profile, issuer_key, subject_key):
    made = golden.golden(profile, issuer_key, subject_key)
    critical, identifier = extensions(made.der)["authority_key_identifier"]
    assert not critical
    assert identifier["key_identifier"].native == extensions(made.above[0])["key_identifier"][1].native
    assert identifier["authority_cert_issuer"].native is None
    assert identifier["authority_cert_serial_number"].native is None


# --- B1.3: times --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", [2049, 2050])
def test_b1_3_times_are_utc_time_to_2049_and_generalized_time_from_2050(demo_pki, year):
    start = dt.datetime(year, 1, 1, 0, 2, 3, tzinfo=dt.UTC)
    issuer = golden.issuer_of("person-id-3", golden.issuing_ca("ec-p384", "person-id-3"))
    issuer = dataclasses.replace(issuer, not_after=start + dt.timedelta(days=800))
    policies = (f"{golden.ARC}.2.3.1",)
    public = golden.private_key("ec-p256", 3).public_key()
    end = start + dt.timedelta(days=364)
    content = golden.Content(orders.PERSON_SUBJECT, {}, public, golden.serial(), start, end, policies, orders.CARD)
    der = golden.make(PROFILES["person-id-auth"], issuer, golden.private_key("ec-p384", 2), content)
    validity = tbs_of(der)["validity"]
    kind = asn1_x509.UTCTime if year < 2050 else core.GeneralizedTime
    for name, moment in (("not_before", start), ("not_after", end)):
        encoded = validity[name].chosen
        assert type(encoded) is kind
        text = moment.strftime("%Y%m%d%H%M%SZ")
        assert encoded.contents.decode() == (text[2:] if year < 2050 else text)


def test_b1_3_no_certificate_outlives_its_ca(demo_pki):
    ca = CertificateAuthority.objects.current("person-hsaid-3")
    with clock.moved_to(ca.not_after - dt.timedelta(days=30)):
        (der,) = issue(order(not_after=ca.not_after + dt.timedelta(days=600)))
    end = tbs_of(der)["validity"]["not_after"].native
    assert end == tbs_of(bytes(ca.certificate_der))["validity"]["not_after"].native
    with clock.moved_to(ca.not_after):
        assert "not_after" in refused(Invalid, order()).fields


# --- B1.5 and B1.6: what a key is for -----------------------------------------------------------------------------------


@cells
def test_b1_5_basic_constraints_and_key_usage(profile, issuer_key, subject_key):
    found = extensions(golden.golden(profile, issuer_key, subject_key).der)
    critical, usage = found["key_usage"]
    assert critical
    if profile in ("root-ca", "issuing-ca"):
        critical, constraints = found["basic_constraints"]
        assert critical
        assert constraints.native == {"ca": True, "path_len_constraint": None if profile == "root-ca" else 0}
        assert usage.native == {"key_cert_sign", "crl_sign"}
    else:
        assert "basic_constraints" not in found
        assert not usage.native & {"key_cert_sign", "crl_sign"}


# RFC 5280 section 4.2.1.12: key usages that are consistent with an extended one.
CONSISTENT = {
    "client_auth": {"digital_signature", "key_agreement"},
    "server_auth": {"digital_signature", "key_encipherment", "key_agreement"},
    "email_protection": {"digital_signature", "non_repudiation", "key_encipherment", "key_agreement"},
    "microsoft_smart_card_logon": {"digital_signature"},
    "ocsp_signing": {"digital_signature", "non_repudiation"},
    "time_stamping": {"digital_signature", "non_repudiation"},
}


@cells
def test_b1_6_usages_fit_together_and_signing_is_apart(profile, issuer_key, subject_key):
    found = extensions(golden.golden(profile, issuer_key, subject_key).der)
    usage = found["key_usage"][1].native
    extended = found["extended_key_usage"][1].native if "extended_key_usage" in found else []
    assert all(usage & CONSISTENT[each] for each in extended)
    # EN 319 412-2 section 4.3.2: type A commits and nothing else, type C identifies.
    assert "non_repudiation" not in usage or usage == {"non_repudiation"}
    if profile.endswith("-sign") or profile == "seal":
        assert (usage, extended) == ({"non_repudiation"}, [])
    if profile == "time-stamp":
        assert (found["extended_key_usage"][0], extended) == (True, ["time_stamping"])
    elif extended:
        assert not found["extended_key_usage"][0]
    # RFC 8813: an EC key enciphers no keys.
    assert ("key_encipherment" in usage) == (profile == "function" and subject_key.startswith("rsa"))


# --- B1.7: policies -----------------------------------------------------------------------------------------------------


@cells
def test_b1_7_one_policy_of_our_own_without_qualifiers(profile, issuer_key, subject_key):
    found = extensions(golden.golden(profile, issuer_key, subject_key).der)
    if profile in ("root-ca", "ocsp-signer"):
        assert "certificate_policies" not in found
        return
    critical, policies = found["certificate_policies"]
    assert not critical
    (policy,) = policies
    assert policy["policy_qualifiers"].native is None
    oid = policy["policy_identifier"].dotted
    assert (oid == "2.5.29.32.0") == (profile == "issuing-ca")
    assert oid == "2.5.29.32.0" or oid.startswith(f"{golden.ARC}.")


def test_b1_7_somebody_elses_arc_stops_the_start(settings):
    settings.PKI_POLICY_ARC = "1.2.752.74.8"
    assert "siths.E003" in {message.id for message in checks.always(None)}


# --- B1.8 and B1.9: addresses -------------------------------------------------------------------------------------------


@cells
def test_b1_8_status_addresses_are_plain_http_and_not_critical(profile, issuer_key, subject_key):
    found = extensions(golden.golden(profile, issuer_key, subject_key).der)
    if profile in ("root-ca", "ocsp-signer"):
        assert "crl_distribution_points" not in found
        assert "authority_information_access" not in found
        return
    critical, points = found["crl_distribution_points"]
    assert not critical
    (point,) = points
    (address,) = point["distribution_point"].chosen
    critical, access = found["authority_information_access"]
    assert not critical
    methods = {each["access_method"].native: each["access_location"].native for each in access}
    assert set(methods) == {"ocsp", "ca_issuers"}
    assert all(url.startswith("http://") for url in (address.native, *methods.values()))


def test_b1_9_ca_issuers_and_crl_are_served_as_the_certificate_says(demo_pki, settings):
    settings.ROOT_URLCONF = "siths_portal.wiring.urls_status"
    settings.MIDDLEWARE = [
        name for name in settings.MIDDLEWARE if not name.startswith(("authn.", "issuance.", "django.contrib."))
    ]
    (der,) = issue(order("function"))
    found = extensions(der)
    issuers = next(each for each in found["authority_information_access"][1] if each["access_method"].native == "ca_issuers")
    response = Client().get(issuers["access_location"].native.removeprefix(settings.STATUS_BASE_URL))
    assert (response.status_code, response["Content-Type"]) == (200, "application/pkix-cert")
    ca = response.getvalue()
    parsed = asn1_x509.Certificate.load(ca, strict=True)  # one certificate, and nothing after it
    assert parsed.dump() == ca
    x509.load_der_x509_certificate(der).verify_directly_issued_by(x509.load_der_x509_certificate(ca))
    (point,) = found["crl_distribution_points"][1]
    response = Client().get(point["distribution_point"].chosen[0].native.removeprefix(settings.STATUS_BASE_URL))
    assert (response.status_code, response["Content-Type"]) == (200, "application/pkix-crl")
    x509.load_der_x509_crl(response.getvalue())


# --- B1.10: alternative names -------------------------------------------------------------------------------------------


def general_names(**values: str) -> list[asn1_x509.GeneralName]:
    (der,) = issue(order(subject_alternative=values))
    critical, names = extensions(der)["subject_alt_name"]
    assert not critical
    return list(names)


def explicit(text: str) -> bytes:
    """A UTF8String under the explicit tag of otherName's value."""
    encoded = core.UTF8String(text).dump()
    return bytes([0xA0, len(encoded)]) + encoded


def test_b1_10_a_mail_address_is_ia5_with_a_labels(demo_pki):
    (name,) = general_names(rfc822Name="asa@sjukvård.example")
    assert name.name == "rfc822_name"
    assert name.chosen.contents == b"asa@xn--sjukvrd-ixa.example"


def test_b1_10_a_mailbox_with_other_characters_is_smtp_utf8_mailbox(demo_pki):
    (name,) = general_names(smtpUtf8Mailbox="a\u030asa.östberg@sjukvård.example")
    other = name.chosen
    assert (name.name, other["type_id"].dotted) == ("other_name", "1.3.6.1.5.5.7.8.9")
    assert other["value"].dump() == explicit("åsa.östberg@xn--sjukvrd-ixa.example")


def test_b1_10_the_upn_is_a_utf8_string(demo_pki):
    (name,) = general_names(userPrincipalName="åsa@region.example")
    other = name.chosen
    assert other["type_id"].dotted == "1.3.6.1.4.1.311.20.2.3"
    assert other["value"].dump() == explicit("åsa@region.example")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("rfc822Name", "åsa@region.example"),
        ("smtpUtf8Mailbox", "asa@region.example"),  # RFC 9598: ASCII has one form
        ("smtpUtf8Mailbox", "åsa@-.example"),
        ("smtpUtf8Mailbox", "å sa@region.example"),
        ("smtpUtf8Mailbox", f"{'å' * 33}@region.example"),  # 66 octets
        ("rfc822Name", "asa@\u2603\ufe0f.example"),
        ("rfc822Name", ".asa@region.example"),
        ("rfc822Name", f"{'a' * 65}@region.example"),
        ("userPrincipalName", "åsa\u200b@region.example"),
    ],
)
def test_b1_10_what_is_no_such_name_is_refused(demo_pki, kind, value):
    assert list(refused(Invalid, order(subject_alternative={kind: value})).fields) == [kind]


# --- B1.11: names -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["commonName", "organizationName", "surname", "givenName", "title"])
def test_b1_11_64_characters_are_written_whole_and_65_are_refused(demo_pki, name):
    whole = "ö" * 64
    (der,) = issue(order(subject=orders.HSA_SUBJECT | {name: whole}))
    oid = {"organizationName": "organization_name", "commonName": "common_name", "givenName": "given_name"}.get(name, name)
    assert tbs_of(der)["subject"].native[oid] == whole
    error = refused(Invalid, order(subject=orders.HSA_SUBJECT | {name: whole + "ö"}))
    assert list(error.fields) == [name]
    assert "65 tecken" in error.fields[name][0]


def test_b1_11_length_is_that_of_the_composed_name(demo_pki):
    (der,) = issue(order(subject=orders.HSA_SUBJECT | {"commonName": "A\u030a" * 64}))
    assert tbs_of(der)["subject"].native["common_name"] == "Å" * 64


def test_b1_11_string_types_and_the_hsa_id_exactly_as_given(demo_pki):
    (der,) = issue(order(subject=orders.HSA_SUBJECT | {"serialNumber": "se2321000016-10aB"}))
    pairs = [(pair["type"].native, pair["value"]) for rdn in tbs_of(der)["subject"].chosen for pair in rdn]
    kinds = {name: type(getattr(value, "chosen", value)).__name__ for name, value in pairs}
    printable = {name for name, kind in kinds.items() if kind == "PrintableString"}
    assert printable == {"country_name", "serial_number"}
    assert set(kinds.values()) == {"PrintableString", "UTF8String"}
    assert dict(pairs)["serial_number"].native == "se2321000016-10aB"


def test_b1_11_the_card_number_is_19_digits_in_a_printable_string(demo_pki):
    (der,) = issue(order())
    critical, _parsed = extensions(der)["1.2.752.34.2.1"]
    value = next(each["extn_value"] for each in tbs_of(der)["extensions"] if each["extn_id"].dotted == "1.2.752.34.2.1")
    assert (critical, value.contents) == (False, b"\x13\x13" + orders.CARD.encode())


# --- B1.12: keys --------------------------------------------------------------------------------------------------------


def _rsa_request(bits: int, exponent: int = 65537) -> bytes:
    return csr(rsa.generate_private_key(exponent, bits))


def _tampered() -> bytes:
    der = bytearray(csr())
    der[-1] ^= 1
    return bytes(der)


@pytest.mark.parametrize(
    ("make", "code", "text"),
    [
        (lambda: _rsa_request(1024), "certificate-order", "1024 bitar"),
        (lambda: _rsa_request(2048, 3), "certificate-order", "exponent"),
        (lambda: _rsa_request(3072), "certificate-order", "3072 bitar"),
        (lambda: csr(ec.generate_private_key(ec.SECP521R1())), "certificate-order", "Nyckeltypen"),
        (lambda: csr(ec.generate_private_key(ec.SECP256K1())), "certificate-order", "Nyckeltypen"),
        (_tampered, "csr-proof-of-possession", "innehavet av nyckeln"),
        (lambda: b"0\x03\x02\x01\x05", "csr-malformed", "går inte att läsa"),
        (lambda: csr().replace(b"\x02\x01\x00", b"\x02\x01\x05", 1), "csr-malformed", "går inte att läsa"),
    ],
    ids=["short", "exponent", "size-of-no-card", "p-521", "secp256k1", "no-possession", "no-request", "no-version"],
)
def test_b1_12_a_key_that_is_not_fit_is_refused_by_its_field(demo_pki, make, code, text):
    error = refused(Invalid, order(csr_der=make()))
    assert (error.code, list(error.fields)) == (code, ["csr"])
    assert text in error.fields["csr"][0]


def test_b1_12_an_edwards_key_is_refused(demo_pki):
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.DER)
    assert list(refused(Invalid, order(csr_der=request)).fields) == ["csr"]


def test_b1_12_a_listed_key_and_one_of_another_subject_are_refused(demo_pki, settings, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    plan(order(csr_der=csr(key)))
    assert refused(Conflict, order(csr_der=csr(key), subject_ref="person:2")).code == "key-in-use"
    weak = ec.generate_private_key(ec.SECP256R1())
    der = weak.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "list").write_text(hashlib.sha256(der).hexdigest())
    settings.PKI_WEAK_KEYS_FILE = str(tmp_path / "list")
    assert refused(Invalid, order(csr_der=csr(weak))).code == "key-weak"


def test_b1_12_the_certified_key_is_the_requests(demo_pki):
    for key in (orders.rsa_key(), ec.generate_private_key(ec.SECP256R1())):
        (der,) = issue(order(csr_der=csr(key)))
        assert load_der_public_key(tbs_of(der)["subject_public_key_info"].dump()) == key.public_key()


# --- B1.13: compromised keys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "superseded", "cessationOfOperation"])
def test_b1_13_a_compromised_key_is_never_certified_again(demo_pki, before):
    request = csr()
    (id_,) = plan(order(csr_der=request))
    signing.sign_reserved([id_])
    for reason in filter(None, (before, "keyCompromise")):
        with transaction.atomic():
            service.plan_revocation([id_], reason=reason, actor_ref="user:1", received_at=clock.now(), channel="portal")
    for wanted in (order(csr_der=request), order("function", csr_der=request, subject_ref="function:x")):
        assert refused(Conflict, wanted).code == "key-compromised"


def test_b1_13_what_was_under_way_with_the_key_is_never_good(demo_pki):
    request = csr()
    (first,) = plan(order(csr_der=request))
    signing.sign_reserved([first])
    (second,) = plan(order(csr_der=request))
    with transaction.atomic():
        service.plan_revocation([first], reason="keyCompromise", actor_ref="user:1", received_at=clock.now(), channel="portal")
    signing.settle()
    key_checks.revoke_compromised()
    signing.settle()
    assert not CertificateBlob.objects.filter(certificate_id=second).exists()
    assert Certificate.objects.get(id=second).status == "revoked"
