"""Distinguished names of subjects: attributes, their order, string types and lengths (rules/pki 2.2, B1.11)."""

import re
import unicodedata
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from asn1crypto.core import ObjectIdentifier
from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.domain import der

OIDS: dict[str, x509.ObjectIdentifier] = {
    "countryName": NameOID.COUNTRY_NAME,
    "localityName": NameOID.LOCALITY_NAME,
    "organizationName": NameOID.ORGANIZATION_NAME,
    "organizationIdentifier": NameOID.ORGANIZATION_IDENTIFIER,
    "commonName": NameOID.COMMON_NAME,
    "surname": NameOID.SURNAME,
    "givenName": NameOID.GIVEN_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "title": NameOID.TITLE,
}
_OID_DER = {name: ObjectIdentifier(oid.dotted_string).dump() for name, oid in OIDS.items()}
# What users call the attributes, for refusals.
SWEDISH = {
    "countryName": "Land",
    "localityName": "Orten",
    "organizationName": "Organisationens namn",
    "organizationIdentifier": "Organisationens nummer",
    "commonName": "Namnet",
    "surname": "Efternamnet",
    "givenName": "Förnamnet",
    "serialNumber": "Identiteten",
    "title": "Titeln",
}
# The library's warning about 64 characters that are more octets, each time it reads or writes them.
warnings.filterwarnings("ignore", message="Attribute's length must be")
PRINTABLE = frozenset({"countryName", "serialNumber"})
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")


@dataclass(frozen=True)
class Attribute:
    """One attribute of a profile's subject. `pattern` must match the whole value.

    `max_length` counts the characters in the certificate, so after composition (NFC). A longer value is refused, never shortened:
    a truncated name is another name (B1.11).
    """

    name: str
    required: bool = True
    max_length: int = 64
    pattern: str = ""


def faults(attributes: tuple[Attribute, ...], values: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns the faults of the values, in Swedish, by attribute. Does not repeat the values: they are personal data."""
    found: dict[str, list[str]] = {}
    known = {attribute.name for attribute in attributes}
    for name in sorted(set(values) - known):
        found[name] = ["Uppgiften får inte finnas i ett sådant certifikat."]
    for attribute in attributes:
        reasons = _faults_of(attribute, values.get(attribute.name, ""))
        if reasons:
            found[attribute.name] = reasons
    return found


def _faults_of(attribute: Attribute, value: str) -> list[str]:
    label, value = SWEDISH[attribute.name], unicodedata.normalize("NFC", value)
    if not value:
        return [f"{label} saknas."] if attribute.required else []
    if len(value) > attribute.max_length:
        return [f"{label} är {len(value)} tecken långt. I certifikatet ryms {attribute.max_length}."]
    if value != value.strip() or (not value.isprintable() and any(map(_is_invisible, value))):
        return [f"{label} har tecken som inte syns eller blanktecken i kanten."]
    if attribute.name in PRINTABLE and not _PRINTABLE.fullmatch(value):
        return [f"{label} har tecken som inte ryms i certifikatet."]
    if attribute.pattern and not re.fullmatch(attribute.pattern, value):
        return [f"{label} har inte rätt form."]
    return []


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def build(attributes: tuple[Attribute, ...], values: Mapping[str, str]) -> x509.Name:
    """Returns the name, one attribute per RDN, in the profile's order; UTF8String in NFC, country and serial PrintableString."""
    # The library counts octets where RFC 5280 counts characters; `faults` has counted characters.
    return x509.Name(
        x509.NameAttribute(OIDS[attribute.name], unicodedata.normalize("NFC", values[attribute.name]), _validate=False)
        for attribute in attributes
        if values.get(attribute.name)
    )


def encode(attributes: tuple[Attribute, ...], values: Mapping[str, str]) -> bytes:
    """Returns the DER of the name that `build` makes."""
    rdns = [_rdn(attribute.name, values[attribute.name]) for attribute in attributes if values.get(attribute.name)]
    return der.encoded(der.SEQUENCE, b"".join(rdns))


def _rdn(name: str, value: str) -> bytes:
    text = unicodedata.normalize("NFC", value)
    printable = name in PRINTABLE
    string = der.encoded(der.PRINTABLE_STRING if printable else der.UTF8_STRING, text.encode("ascii" if printable else "utf-8"))
    return der.encoded(der.SET, der.encoded(der.SEQUENCE, _OID_DER[name] + string))


def file_stem(common_name: str) -> str:
    """Returns the CA's name in URLs: the CN in lower case without spaces and hyphens (rules/pki 1.3)."""
    return common_name.lower().replace(" ", "").replace("-", "")
