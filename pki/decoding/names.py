"""Names, OIDs and unknown structures of certificates as lines of text."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from asn1crypto import core, parser
from asn1crypto import x509 as asn1
from django.utils.translation import gettext as _

_DEEPEST = 12

NAMES_OF_OIDS: Mapping[str, str] = {
    "1.2.840.113549.1.1.1": "rsaEncryption",
    "1.2.840.113549.1.1.5": "sha1WithRSAEncryption",
    "1.2.840.113549.1.1.10": "rsassaPss",
    "1.2.840.113549.1.1.11": "sha256WithRSAEncryption",
    "1.2.840.113549.1.1.12": "sha384WithRSAEncryption",
    "1.2.840.113549.1.1.13": "sha512WithRSAEncryption",
    "1.2.840.10045.2.1": "id-ecPublicKey",
    "1.2.840.10045.3.1.7": "P-256 (secp256r1)",
    "1.3.132.0.34": "P-384 (secp384r1)",
    "1.3.132.0.35": "P-521 (secp521r1)",
    "1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
    "1.2.840.10045.4.3.3": "ecdsa-with-SHA384",
    "1.2.840.10045.4.3.4": "ecdsa-with-SHA512",
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "1.3.6.1.5.5.7.3.36": "documentSigning",
    "1.3.6.1.4.1.311.20.2.2": "smartcardLogon",
    "1.3.6.1.4.1.311.20.2.3": "userPrincipalName",
    "1.3.6.1.5.5.7.48.1": "OCSP",
    "1.3.6.1.5.5.7.48.2": "caIssuers",
    "1.3.6.1.5.5.7.2.1": "id-qt-cps",
    "1.3.6.1.5.5.7.2.2": "id-qt-unotice",
    "2.5.29.32.0": "anyPolicy",
    "0.4.0.1862.1.1": "QcCompliance",
    "0.4.0.1862.1.4": "QcSSCD",
    "0.4.0.1862.1.5": "QcPDS",
    "0.4.0.1862.1.6": "QcType",
    "0.4.0.1862.1.6.2": "eseal",
}
"""The standards' names for OIDs in our certificates, and in those that other tools show."""

_ATTRIBUTES: Mapping[str, tuple[str, str]] = {
    "2.5.4.3": ("CN", "commonName"),
    "2.5.4.4": ("SN", "surname"),
    "2.5.4.5": ("SERIALNUMBER", "serialNumber"),
    "2.5.4.6": ("C", "countryName"),
    "2.5.4.7": ("L", "localityName"),
    "2.5.4.8": ("S", "stateOrProvinceName"),
    "2.5.4.10": ("O", "organizationName"),
    "2.5.4.11": ("OU", "organizationalUnitName"),
    "2.5.4.12": ("T", "title"),
    "2.5.4.42": ("G", "givenName"),
    "2.5.4.97": ("OID.2.5.4.97", "organizationIdentifier"),
    "0.9.2342.19200300.100.1.25": ("DC", "domainComponent"),
    "1.2.840.113549.1.9.1": ("E", "emailAddress"),
}
_UNIVERSAL = {
    1: "BOOLEAN", 2: "INTEGER", 3: "BIT STRING", 4: "OCTET STRING", 5: "NULL", 6: "OBJECT IDENTIFIER", 10: "ENUMERATED",
    12: "UTF8String", 16: "SEQUENCE", 17: "SET", 18: "NumericString", 19: "PrintableString", 20: "TeletexString",
    22: "IA5String", 23: "UTCTime", 24: "GeneralizedTime", 26: "VisibleString", 28: "UniversalString", 30: "BMPString",
}  # fmt: skip
_TEXT = {12: "utf-8", 18: "ascii", 19: "ascii", 20: "latin-1", 22: "ascii", 23: "ascii", 24: "ascii", 26: "ascii"}
_TEXT |= {28: "utf-32-be", 30: "utf-16-be"}


@dataclass(frozen=True)
class DecodedLine:
    """A labelled value. `kind` is its ASN.1 type if it can vary, `oid` its object identifier; `code` marks digits and the like.

    `copy` marks a value that users copy, `moment` a time that the page may show in the reader's zone.
    """

    label: str
    value: str
    kind: str = ""
    oid: str = ""
    code: bool = False
    copy: bool = False
    moment: dt.datetime | None = None


class _Attribute(core.Sequence):  # type: ignore[misc]
    _fields = [("type", core.ObjectIdentifier), ("value", core.Any)]


class _RelativeName(core.SetOf):  # type: ignore[misc]
    _child_spec = _Attribute


class _Name(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _RelativeName


def hexadecimal(octets: bytes) -> str:
    """Returns octets in upper-case hex, separated by colons."""
    return octets.hex(":").upper()


def name_lines(der: bytes) -> Iterator[DecodedLine]:
    """Yields each attribute of a Name in order, with its string type; marks attributes of a multi-valued RDN."""
    for number, relative in enumerate(_Name.load(der, strict=True), start=1):
        for attribute in relative:
            oid = attribute["type"].dotted
            kind, text = _text(attribute["value"].dump())
            label = _ATTRIBUTES.get(oid, ("", oid))[1]
            shared = _("del av RDN {number}").format(number=number) if len(relative) > 1 else ""
            yield DecodedLine(label, text, kind=", ".join(filter(None, (kind, shared))), oid=oid)


def short_name(der: bytes) -> str:
    """Returns a Name in one line, in the order of its encoding, as Active Directory writes an issuer."""
    parts = []
    for relative in _Name.load(der, strict=True):
        for attribute in relative:
            oid = attribute["type"].dotted
            short = _ATTRIBUTES.get(oid, (f"OID.{oid}", ""))[0]
            parts.append(f"{short}={_quoted(_text(attribute['value'].dump())[1])}")
    return ",".join(parts)


def _quoted(text: str) -> str:
    """Returns a value in the form of Windows' CertNameToStr: in quotation marks if it contains a separator."""
    if text == text.strip() and not any(character in ',+="\n<>#;' for character in text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _text(der: bytes) -> tuple[str, str]:
    """Returns the ASN.1 type of a value and its text; hex if it is not text."""
    class_, _method, tag, _header, content, _trailer = parser.parse(der, strict=True)
    if class_ == 0 and tag in _TEXT:
        return _UNIVERSAL[tag], content.decode(_TEXT[tag], "replace")
    return _UNIVERSAL.get(tag, f"[{tag}]") if class_ == 0 else f"[{tag}]", hexadecimal(content)


def general_name(name: asn1.GeneralName) -> tuple[str, str, str]:
    """Returns the kind of a GeneralName, its text, and for an otherName its OID."""
    if name.name == "other_name":
        oid = name.chosen["type_id"].dotted
        tagged = parser.parse(name.chosen["value"].dump())  # [0] EXPLICIT around the value
        return NAMES_OF_OIDS.get(oid, "otherName"), _text(tagged[4])[1], oid
    if name.name == "directory_name":
        return "directoryName", short_name(name.chosen.chosen.untag().dump()), ""
    kinds = {"rfc822_name": "rfc822Name", "dns_name": "dNSName", "uniform_resource_identifier": "URI", "ip_address": "iPAddress"}
    kinds["registered_id"] = "registeredID"
    return kinds.get(name.name, name.name), str(name.native), ""


def outline(der: bytes, depth: int = 0) -> list[str]:
    """Returns an unknown structure, one line an element: its type and, if it is primitive, its value."""
    lines: list[str] = []
    rest = der
    while rest:
        class_, method, tag, header, content, trailer = parser.parse(rest)
        rest = rest[len(header) + len(content) + len(trailer) :]
        name = _UNIVERSAL.get(tag, f"[UNIVERSAL {tag}]") if class_ == 0 else f"[{tag}]"
        indent = "  " * depth
        if method == 1 and depth < _DEEPEST:
            lines += [f"{indent}{name}", *outline(content, depth + 1)]
        else:
            lines.append(f"{indent}{name} {_primitive(class_, tag, content)}".rstrip())
    return lines


def _primitive(class_: int, tag: int, content: bytes) -> str:
    if class_ == 0 and tag in _TEXT:
        return content.decode(_TEXT[tag], "replace")
    if class_ == 0 and tag == core.ObjectIdentifier.tag:
        return str(core.ObjectIdentifier(contents=content).dotted)
    if class_ == 0 and tag in (core.Integer.tag, core.Enumerated.tag):
        return str(int.from_bytes(content, signed=True))
    if class_ == 0 and tag == core.Boolean.tag:
        return "FALSE" if content == b"\x00" else "TRUE"
    return hexadecimal(content)
