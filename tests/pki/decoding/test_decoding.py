"""A certificate in words: OpenSSL reads the same, nothing is left out, and nothing that is wrong stops the reading."""

import datetime as dt
import ipaddress
import re
import subprocess

import pytest
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from pki.decoding import Decoded, decode, decode_to_be_signed, serial_forms
from pki.models import CertificateBlob

KEY = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ISSUER = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "SE"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Demo, AB")])
SUBJECT = x509.Name(
    [
        x509.RelativeDistinguishedName(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, "Åsa Östberg"),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, "SE2321000016-1003", _ASN1Type.PrintableString),
            ]
        ),
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ö", _ASN1Type.BMPString)]),
    ]
)
POLICY = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1")
END = dt.datetime(2051, 1, 1, tzinfo=dt.UTC)


def made(*extensions: tuple[x509.ExtensionType, bool], key=KEY, sign=KEY, serial: int = 0x0177AB, **how) -> bytes:
    builder = x509.CertificateBuilder().subject_name(SUBJECT).issuer_name(ISSUER).public_key(key.public_key())
    builder = builder.serial_number(serial).not_valid_before(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).not_valid_after(END)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(sign, hashes.SHA256(), **how).public_bytes(serialization.Encoding.DER)


def lines(decoded: Decoded, heading: str) -> dict[str, str]:
    (section,) = [each for each in decoded.sections if heading in each.heading]
    return {line.label: line.value for line in section.lines}


def openssl(der: bytes, *options: str) -> str:
    command = ["openssl", "x509", "-inform", "DER", "-noout", "-nameopt", "utf8,sep_multiline", *options]
    return subprocess.run(command, input=der, capture_output=True, check=True).stdout.decode()


def test_every_certificate_of_the_pki_reads_as_openssl_reads_it(demo_pki) -> None:
    """CAs, responders and a card's four: serial, dates, key, fingerprints and every extension's OID and criticality."""
    from tests.pki.orders import card, order, plan

    plan(*card())
    plan(order("function"))
    demo_pki.settle()
    blobs = [bytes(der) for der in CertificateBlob.objects.values_list("der", flat=True)]
    assert len(blobs) >= 7 + 6 + 5
    for der in blobs:
        decoded = decode(der)
        assert lines(decoded, "Serienummer")["Hexadecimalt"].replace(":", "") == openssl(der, "-serial").split("=")[1].strip()
        assert lines(decoded, "Fingeravtryck")["SHA-256"] == openssl(der, "-fingerprint", "-sha256").split("=")[1].strip()
        assert lines(decoded, "Fingeravtryck")["SHA-1"] == openssl(der, "-fingerprint", "-sha1").split("=")[1].strip()
        ours = x509.load_der_x509_certificate(der)
        extensions = [(section.oid, section.critical) for section in decoded.sections if section.oid]
        assert extensions == [(each.oid.dotted_string, each.critical) for each in ours.extensions]
        text = openssl(der, "-text")
        assert "inte uppbyggt" not in str(decoded.sections)
        assert "Okänt" not in str(decoded.sections)
        for line in lines(decoded, "Innehavare (subject)").values():
            assert line in text
        key = lines(decoded, "subjectPublicKeyInfo")
        bits = re.search(r"Public-Key: \((\d+) bit", text)
        assert bits
        assert key["Längd"] == f"{bits[1]} bitar"
        octets = re.sub(r"[\s:]", "", re.search(r"(?:Modulus|pub):\s*([0-9a-f:\s]+)", text)[1]).upper()
        assert key.get("Modulus", key.get("Punkt", "")).replace(":", "") == octets.removeprefix("00" if "Modulus" in key else "")


def test_names_are_read_with_string_types_order_and_shared_relative_names() -> None:
    (section,) = [each for each in decode(made()).sections if "subject)" in each.heading]
    # A SET is sorted by DER: CN's OID is lower than serialNumber's.
    assert [(line.label, line.value, line.kind, line.oid) for line in section.lines] == [
        ("commonName", "Åsa Östberg", "UTF8String, del av RDN 1", "2.5.4.3"),
        ("serialNumber", "SE2321000016-1003", "PrintableString, del av RDN 1", "2.5.4.5"),
        ("organizationName", "Ö", "BMPString", "2.5.4.10"),
    ]


def test_dates_say_their_type_and_are_utc() -> None:
    (section,) = [each for each in decode(made()).sections if "validity" in each.heading]
    assert [(line.kind, line.value) for line in section.lines] == [
        ("UTCTime", "2026-01-01 00:00:00 UTC"),
        ("GeneralizedTime", "2051-01-01 00:00:00 UTC"),
    ]


@pytest.mark.parametrize(
    ("serial", "octets", "backwards"),
    [
        (1, "01", "01"),
        (0x80, "00:80", "8000"),
        (0x0177AB, "01:77:AB", "AB7701"),
        (0x01772941CE29B3EC999D657F0E0174, "01:77:29:41:CE:29:B3:EC:99:9D:65:7F:0E:01:74", "74010E7F659D99ECB3CE29417701"),
    ],
)
def test_a_serial_is_written_in_both_orders_and_no_octet_is_lost(serial: int, octets: str, backwards: str) -> None:
    forms = serial_forms(serial, issuer_der=ISSUER.public_bytes())
    if serial.bit_length() > 100:
        backwards = bytes.fromhex(octets.replace(":", ""))[::-1].hex().upper()
    assert (forms.octets, forms.decimal, forms.reversed_octets) == (octets, str(serial), backwards)
    assert forms.mapping == f'X509:<I>C=SE,O="Demo, AB"<SR>{backwards}'


def test_every_known_extension_is_told_in_words() -> None:
    uri = x509.UniformResourceIdentifier
    other = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), core.UTF8String("åsa@upn.example.org").dump())
    der = made(
        (x509.AuthorityKeyIdentifier(b"\x01" * 20, [x509.DirectoryName(ISSUER)], 5), False),
        (x509.SubjectKeyIdentifier(b"\x02" * 20), False),
        (x509.KeyUsage(True, True, False, False, False, False, False, False, False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, x509.ObjectIdentifier("1.2.3.4")]), False),
        (x509.CertificatePolicies([x509.PolicyInformation(POLICY, ["http://cps.example"])]), False),
        (x509.BasicConstraints(True, 0), True),
        (
            x509.SubjectAlternativeName(
                [
                    x509.RFC822Name("asa@example.org"), other, x509.DNSName("api.example.org"), uri("urn:x"),
                    x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
                ]
            ),
            False,
        ),
        (x509.CRLDistributionPoints([x509.DistributionPoint([uri("http://crl.example/a.crl")], None, None, None)]), False),
        (
            x509.AuthorityInformationAccess(
                [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, uri("http://ocsp.example"))]
            ),
            False,
        ),
        (x509.OCSPNoCheck(), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.752.34.2.1"), core.PrintableString("9752269999").dump()), False),
        (x509.NameConstraints([x509.DNSName("example.org")], None), True),
    )  # fmt: skip
    decoded = decode(der)
    assert lines(decoded, "authorityKey") == {
        "keyIdentifier": ":".join(["01"] * 20), "authorityCertIssuer": 'C=SE,O="Demo, AB"', "authorityCertSerialNumber": "5",
    }  # fmt: skip
    assert list(lines(decoded, "keyUsage")) == ["digitalSignature", "contentCommitment"]
    assert lines(decoded, "extendedKeyUsage") == {"clientAuth": "klientlegitimering", "1.2.3.4": "1.2.3.4"}
    assert lines(decoded, "certificatePolicies") == {"Policy": "1.3.6.1.4.1.32473.1", "id-qt-cps": "IA5String http://cps.example"}
    assert lines(decoded, "basicConstraints") == {"cA": "ja, en utfärdare", "pathLenConstraint": "0"}
    assert lines(decoded, "subjectAltName") == {
        "rfc822Name": "asa@example.org", "userPrincipalName": "åsa@upn.example.org", "dNSName": "api.example.org", "URI": "urn:x",
        "iPAddress": "127.0.0.1", "registeredID": "1.2.3",
    }  # fmt: skip
    assert lines(decoded, "cRLDistributionPoints") == {"URI": "http://crl.example/a.crl"}
    assert lines(decoded, "authorityInfoAccess") == {"OCSP": "http://ocsp.example"}
    assert "ocsp-nocheck" in str([section.heading for section in decoded.sections])
    assert lines(decoded, "cardNumber") == {"Kortets nummer": "9752269999"}
    assert "[2] 65:78:61:6D:70:6C:65:2E:6F:72:67" in lines(decoded, "nameConstraints")["Innehåll"]


def test_what_is_unknown_or_broken_is_outlined_and_not_left_out() -> None:
    unknown = x509.ObjectIdentifier("1.2.3.4.5")
    structure = core.SequenceOf([1, 2], spec=core.Integer).dump()
    decoded = decode(
        made(
            (x509.UnrecognizedExtension(unknown, structure), True),
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.19"), b"\x04\x01\xff"), False),
            (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.6"), b"\xff\xff\xff"), False),
        )
    )
    first, second, third = [section for section in decoded.sections if section.oid]
    assert (first.heading, first.critical, first.lines[0].value) == ("Okänt tillägg", True, "SEQUENCE\n  INTEGER 1\n  INTEGER 2")
    assert second.heading.endswith("inte uppbyggt enligt standarden")
    assert [line.value for line in second.lines] == ["OCTET STRING FF", "04:01:FF"]
    assert third.lines[-1].value == "FF:FF:FF"


def test_signature_algorithms_with_parameters() -> None:
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    decoded = decode(made(key=RSA, sign=RSA, rsa_padding=pss))
    assert lines(decoded, "Signatur")["Signaturalgoritm"] == "rsassaPss, SHA256, salt 32 byte"
    assert lines(decoded, "Signatur")["Samma som i det signerade"] == "ja"
    assert lines(decoded, "subjectPublicKeyInfo")["Exponent"] == "65537 (0x10001)"


def test_bytes_to_be_signed_are_read_without_a_signature() -> None:
    der = made()
    whole, planned = decode(der), decode_to_be_signed(x509.load_der_x509_certificate(der).tbs_certificate_bytes)
    assert planned.sections == whole.sections[: len(planned.sections)]
    assert [section.heading for section in whole.sections[len(planned.sections) :]] == ["Signatur", "Fingeravtryck"]


@pytest.mark.parametrize(
    "der",
    [b"", b"\x30\x00", b"certificate", made() + b"\x00"],
    ids=["nothing", "an empty sequence", "text", "one octet more"],  # ours: the made one differs between processes
)
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(ValueError, match="not a certificate"):
        decode(der)
