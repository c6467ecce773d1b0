"""Our own checker: it passes what the builder makes, and finds each thing that is changed in it."""

import dataclasses
import datetime as dt

import pytest
from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pki.domain import keys, names, serials, tbs
from pki.domain.profiles import PROFILES, Profile
from pki.domain.tbs import Content, Issuer
from pki.issuing import lint
from tests.pki.orders import FUNCTION_SUBJECT, HSA_SUBJECT, MAIL

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
CA_SUBJECT = {"countryName": "SE", "organizationName": "Demo AB", "commonName": "Demo CA"}
CA_KEY = rsa.generate_private_key(65537, 2048).public_key()
KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
PROFILE = PROFILES["person-hsaid-auth"]
ARC = "1.3.6.1.4.1.32473.752"
POLICIES = (f"{ARC}.1.3",)
ISSUER = Issuer(
    slug="person-hsaid-3",
    name=names.build(
        PROFILES["issuing-ca"].subject, {"countryName": "SE", "organizationName": "Demo AB", "commonName": "Demo CA"}
    ),
    ski=b"\x01" * 20,
    public_key=CA_KEY,
    not_after=NOW + dt.timedelta(days=5000),
    crl_url="http://127.0.0.1:8002/crl/x.crl",
    ocsp_url="http://127.0.0.1:8002/ocsp",
    aia_url="http://127.0.0.1:8002/aia/x.cer",
)


def content(**changes) -> Content:
    values = {
        "subject": HSA_SUBJECT,
        "alternative": MAIL,
        "public_key": KEY,
        "serial": serials.time_random(int(NOW.timestamp() * 1000)),
        "not_before": NOW,
        "not_after": NOW + dt.timedelta(days=700),
        "policies": POLICIES,
        "card_number": "9752269999000000017",
    }
    return Content(**values | changes)


def found(to_be_signed: bytes, profile=PROFILE, issuer=ISSUER, arc=ARC) -> list[str]:
    return lint.faults(to_be_signed, profile, issuer, arc)


def test_what_the_builder_makes_passes():
    assert found(tbs.build(PROFILE, ISSUER, content())) == []
    assert found(tbs.build(PROFILE, ISSUER, content(public_key=CA_KEY))) == []
    assert found(tbs.build(PROFILE, ISSUER, content(alternative={}))) == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"serial": 5}, "serial number length"),
        ({"not_after": NOW + dt.timedelta(days=1829)}, "validity is longer than the profile's"),
        ({"not_after": NOW + dt.timedelta(days=1828, seconds=1)}, "validity is longer than the profile's"),
        ({"not_before": NOW + dt.timedelta(days=4990), "not_after": NOW + dt.timedelta(days=5001)}, "notAfter is past the CA's"),
        ({"subject": HSA_SUBJECT | {"commonName": ""}}, "commonName in subject"),
        ({"subject": HSA_SUBJECT | {"serialNumber": "1"}}, "serialNumber in subject"),
        ({"public_key": rsa.generate_private_key(65537, 1024).public_key()}, "public key"),
        ({"policies": ()}, "extensions are not those of the profile, in its order"),
        ({"policies": ("1.2.3",)}, "certificatePolicies has the wrong content"),
        ({"card_number": None}, "extensions are not those of the profile, in its order"),
        ({"card_number": "975226999900000001"}, "cardNumber has the wrong content"),
        ({"card_number": "975226999900000001X"}, "cardNumber has the wrong content"),
    ],
)
def test_wrong_contents_are_found(changes, fault):
    assert fault in found(tbs.build(PROFILE, ISSUER, content(**changes)))


@pytest.mark.parametrize(
    ("profile", "fault"),
    [
        ("person-id-auth", "organizationName in subject"),
        ("function", "extensions are not those of the profile, in its order"),
        ("issuing-ca", "extensions are not those of the profile, in its order"),
    ],
)
def test_another_profiles_certificate_is_found(profile, fault):
    here = dataclasses.replace(PROFILES[profile], issuers=PROFILE.issuers)
    assert fault in found(tbs.build(PROFILE, ISSUER, content()), profile=here)
    assert found(tbs.build(PROFILE, ISSUER, content()), profile=PROFILES[profile]) == ["the CA may not issue this profile"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"key_usage": ["contentCommitment"]}, "keyUsage has the wrong content"),
        ({"key_usage": ["digitalSignature", "keyAgreement"]}, "keyUsage has the wrong content"),
        ({"extended_key_usage": ["1.3.6.1.5.5.7.3.2"]}, "extendedKeyUsage has the wrong content"),
        ({"alternative_names": ["dNSName"]}, "subjectAltName has the wrong content"),
        ({"keys": ["rsa"]}, "public key"),
        ({"signature_hash": "sha512"}, "signature algorithm"),
    ],
)
def test_a_certificate_of_a_slightly_other_profile_is_found(change, fault):
    other = Profile.from_definition(PROFILE.definition() | change)
    assert found(tbs.build(PROFILE, ISSUER, content()), profile=other) == [fault]


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("ski", b"\x02" * 20, "authorityKeyIdentifier has the wrong content"),
        ("crl_url", "http://127.0.0.1:8002/crl/y.crl", "cRLDistributionPoints has the wrong content"),
        ("ocsp_url", "http://other/ocsp", "authorityInfoAccess has the wrong content"),
        ("name", x509.Name([]), "issuer is not the CA's subject, byte for byte"),
        ("public_key", KEY, "signature algorithm"),
    ],
)
def test_another_issuers_certificate_is_found(field, value, fault):
    other = Issuer(**{name: getattr(ISSUER, name) for name in ISSUER.__dataclass_fields__} | {field: value})
    assert fault in found(tbs.build(PROFILE, ISSUER, content()), issuer=other)


def test_addresses_with_tls_are_refused():
    other = Issuer(
        **{n: getattr(ISSUER, n) for n in ISSUER.__dataclass_fields__} | {"crl_url": "https://status.example.com/x.crl"}
    )
    assert "cRLDistributionPoints has the wrong content" in found(tbs.build(PROFILE, other, content()), issuer=other)


def changed(change) -> bytes:
    """A good TBS after `change` to its parsed form."""
    parsed = asn1_x509.TbsCertificate.load(tbs.build(PROFILE, ISSUER, content()))
    change(parsed)
    return parsed.dump(force=True)


def criticality(name: str, critical: bool):
    def change(parsed) -> None:
        for extension in parsed["extensions"]:
            if extension["extn_id"].native == name:
                extension["critical"] = critical

    return change


def swap_extensions(parsed) -> None:
    values = list(parsed["extensions"])
    parsed["extensions"] = asn1_x509.Extensions([values[1], values[0], *values[2:]])


def drop_extension(parsed) -> None:
    parsed["extensions"] = asn1_x509.Extensions(list(parsed["extensions"])[:-1])


def double_extension(parsed) -> None:
    values = list(parsed["extensions"])
    parsed["extensions"] = asn1_x509.Extensions([*values, values[0]])


def swap_names(parsed) -> None:
    rdns = list(parsed["subject"].chosen)
    parsed["subject"] = asn1_x509.Name("", asn1_x509.RDNSequence([rdns[1], rdns[0], *rdns[2:]]))


def printable_name(parsed) -> None:
    rdns = list(parsed["subject"].chosen)
    pair = asn1_x509.NameTypeAndValue(
        {"type": "organization_name", "value": asn1_x509.DirectoryString("printable_string", "Demo")}
    )
    rdns[1] = asn1_x509.RelativeDistinguishedName([pair])
    parsed["subject"] = asn1_x509.Name("", asn1_x509.RDNSequence(rdns))


def version_one(parsed) -> None:
    parsed["version"] = "v1"


def other_hash(parsed) -> None:
    parsed["signature"]["algorithm"] = "sha512_rsa"


def long_serial(parsed) -> None:
    parsed["serial_number"] = 1 << 160


def generalized_time(parsed) -> None:
    parsed["validity"]["not_after"] = asn1_x509.Time("general_time", core.GeneralizedTime(NOW + dt.timedelta(days=700)))


def other_key_identifier(parsed) -> None:
    parsed["extensions"][1]["extn_value"] = core.ParsableOctetString(core.OctetString(b"\x05" * 20).dump())


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (criticality("key_usage", False), "keyUsage has the wrong criticality"),
        (criticality("extended_key_usage", True), "extendedKeyUsage has the wrong criticality"),
        (swap_extensions, "extensions are not those of the profile, in its order"),
        (drop_extension, "extensions are not those of the profile, in its order"),
        (double_extension, "unreadable: DuplicateExtension"),
        (swap_names, "subject's attributes are out of order"),
        (printable_name, "organizationName has the wrong string type"),
        (version_one, "fields are not those of version 3"),
        (other_hash, "signature algorithm"),
        (long_serial, "serial number length"),
        (generalized_time, "not_after has the wrong time type"),
        (other_key_identifier, "subjectKeyIdentifier has the wrong content"),
    ],
)
def test_changed_bytes_are_found(change, fault):
    assert fault in found(changed(change))


@pytest.mark.parametrize(
    "broken",
    [b"", b"\x30\x00", b"not der", tbs.build(PROFILE, ISSUER, content())[:-1]],
    ids=["nothing", "empty-sequence", "text", "cut-off"],
)
def test_what_is_no_tbs_is_found(broken):
    assert found(broken) != []


def test_the_times_after_2049_are_generalized():
    late = dt.datetime(2049, 6, 1, tzinfo=dt.UTC)
    issuer = Issuer(**{n: getattr(ISSUER, n) for n in ISSUER.__dataclass_fields__} | {"not_after": late + dt.timedelta(days=900)})
    made = tbs.build(PROFILE, issuer, content(not_before=late, not_after=late + dt.timedelta(days=700)))
    validity = asn1_x509.TbsCertificate.load(made)["validity"]
    assert [type(validity[name].chosen) for name in ("not_before", "not_after")] == [asn1_x509.UTCTime, core.GeneralizedTime]
    assert found(made, issuer=issuer) == []


def test_the_parts_put_together_are_the_certificate():
    key = rsa.generate_private_key(65537, 2048)
    issuer = Issuer(**{n: getattr(ISSUER, n) for n in ISSUER.__dataclass_fields__} | {"public_key": key.public_key()})
    made = tbs.build(PROFILE, issuer, content())
    certificate = x509.load_der_x509_certificate(tbs.assemble(made, key.sign(made, padding.PKCS1v15(), hashes.SHA256())))
    assert certificate.tbs_certificate_bytes == made
    tbs.verify(certificate, key.public_key())
    assert keys.spki_sha256(certificate.public_key()) == keys.spki_sha256(KEY)
    assert tbs.subject(made) == HSA_SUBJECT


def test_what_was_right_for_one_certificate_is_not_taken_as_right_for_another():
    """Extensions that were once read are not read again, and yet are judged by what they follow from."""
    profile, issuer = PROFILES["function"], dataclasses.replace(ISSUER, slug="function")
    values = {
        "subject": FUNCTION_SUBJECT,
        "alternative": {"dNSName": "api.demo.example.com"},
        "policies": (f"{ARC}.3.1",),
        "card_number": None,
        "not_after": NOW + dt.timedelta(days=300),
    }
    assert found(tbs.build(profile, issuer, content(**values, public_key=CA_KEY)), profile, issuer) == []
    assert found(tbs.build(profile, issuer, content(**values)), profile, issuer) == []
    for_rsa = dataclasses.replace(profile, key_usage=(*profile.key_usage, *profile.key_usage_rsa))
    assert found(tbs.build(for_rsa, issuer, content(**values)), profile, issuer) == ["keyUsage has the wrong content"]
    elsewhere = dataclasses.replace(issuer, crl_url="http://127.0.0.1:8002/crl/y.crl")
    assert found(tbs.build(profile, issuer, content(**values)), profile, elsewhere) == [
        "cRLDistributionPoints has the wrong content"
    ]
    seal = {**values, "policies": (f"{ARC}.3.2",)}
    assert found(tbs.build(profile, issuer, content(**seal)), profile, issuer) == ["certificatePolicies has the wrong content"]
