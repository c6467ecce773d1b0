"""subjectAltName (RFC 5280 section 4.2.1.6) from and to plain text: several values of one kind are separated by commas."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping

from asn1crypto.core import UTF8String
from cryptography import x509

from pki.domain.profiles import USER_PRINCIPAL_NAME

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DNS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAIL = re.compile(rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~.-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+")
_UPN = re.compile(r"[^\s@]{1,128}@[^\s@]{1,128}")
KINDS = ("rfc822Name", "userPrincipalName", "dNSName", "iPAddress")


def split(value: str) -> list[str]:
    """The values of one kind."""
    return [part.strip() for part in value.split(",") if part.strip()]


def faults(allowed: tuple[str, ...], required: bool, values: Mapping[str, str]) -> dict[str, list[str]]:
    """What is wrong with the names, in Swedish, by kind. Values themselves are not repeated."""
    found: dict[str, list[str]] = {}
    for kind in sorted(set(values) - set(allowed)):
        found[kind] = ["Uppgiften får inte finnas i ett sådant certifikat."]
    for kind in allowed:
        if not all(_is_valid(kind, part) for part in split(values.get(kind, ""))):
            found[kind] = [_WRONG[kind]]
    if required and not any(split(values.get(kind, "")) for kind in allowed):
        found["subject_alternative"] = ["Minst ett alternativt namn ska anges."]
    return found


_WRONG = {
    "rfc822Name": "E-postadressen går inte att skriva i certifikatet. Den ska ha enbart ASCII-tecken.",
    "userPrincipalName": "Användarnamnet (UPN) ska ha formen namn@domän.",
    "dNSName": "Domännamnet har inte rätt form.",
    "iPAddress": "IP-adressen har inte rätt form.",
}


def _is_valid(kind: str, value: str) -> bool:
    if kind == "iPAddress":
        try:
            ipaddress.ip_address(value)
        except ValueError:
            return False
        return True
    if kind == "dNSName":
        return len(value) <= 253 and _DNS.fullmatch(value) is not None
    if kind == "rfc822Name":
        return len(value) <= 254 and _MAIL.fullmatch(value) is not None
    return _UPN.fullmatch(value) is not None


def build(allowed: tuple[str, ...], values: Mapping[str, str]) -> x509.SubjectAlternativeName | None:
    """The extension's value, kinds in the profile's order; None if there are no names."""
    names = [_general_name(kind, part) for kind in allowed for part in split(values.get(kind, ""))]
    return x509.SubjectAlternativeName(names) if names else None


def _general_name(kind: str, value: str) -> x509.GeneralName:
    if kind == "iPAddress":
        return x509.IPAddress(ipaddress.ip_address(value))
    if kind == "dNSName":
        return x509.DNSName(value)
    if kind == "rfc822Name":
        return x509.RFC822Name(value)
    return x509.OtherName(x509.ObjectIdentifier(USER_PRINCIPAL_NAME), UTF8String(value).dump())


def kinds(names: Iterable[x509.GeneralName]) -> Iterator[str]:
    """The kind of each name of an extension; the class's name for a kind that is not ours."""
    for name in names:
        if isinstance(name, x509.OtherName) and name.type_id.dotted_string == USER_PRINCIPAL_NAME:
            yield "userPrincipalName"
        else:
            yield {"IPAddress": "iPAddress", "DNSName": "dNSName", "RFC822Name": "rfc822Name"}.get(
                type(name).__name__, type(name).__name__
            )
