"""subjectAltName (RFC 5280 section 4.2.1.6) from and to plain text: several values of one kind are separated by commas.

A mailbox is an rfc822Name, in ASCII, its domain in A-labels. A mailbox whose local part has other characters, and only such a
mailbox, is a SmtpUTF8Mailbox (RFC 9598). Domains of mailboxes may be given in either form and are written as A-labels (B1.10).
"""

import functools
import ipaddress
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

import idna
from asn1crypto.core import UTF8String
from cryptography import x509

USER_PRINCIPAL_NAME = "1.3.6.1.4.1.311.20.2.3"
SMTP_UTF8_MAILBOX = "1.3.6.1.5.5.7.8.9"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DNS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LOCAL = re.compile(rf"{_ATOM}+(?:\.{_ATOM}+)*")
_UPN = re.compile(r"[^\s@]{1,128}@[^\s@]{1,128}")
KINDS = ("rfc822Name", "smtpUtf8Mailbox", "userPrincipalName", "dNSName", "iPAddress")
LONGEST_MAILBOX, LONGEST_LOCAL_PART = 254, 64  # RFC 5321 section 4.5.3.1, in octets


def split(value: str) -> list[str]:
    """Returns the values of one kind."""
    return [part.strip() for part in value.split(",") if part.strip()]


def faults(allowed: tuple[str, ...], required: bool, values: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns the faults of the names, in Swedish, by kind. Does not repeat the values."""
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
    "rfc822Name": "E-postadressen går inte att skriva i certifikatet. Före @ ska den ha enbart ASCII-tecken.",
    "smtpUtf8Mailbox": "E-postadressen går inte att skriva i certifikatet som en adress med andra tecken än ASCII före @.",
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
    if kind == "userPrincipalName":
        return _UPN.fullmatch(value) is not None and value.isprintable()
    return _mailbox(kind, value) is not None


def _mailbox(kind: str, value: str) -> str | None:
    """The mailbox as in the certificate: domain in A-labels, local part composed; None if it is not a valid one of this kind."""
    local, at, domain = unicodedata.normalize("NFC", value).rpartition("@")
    # RFC 9598 section 3: a local part in ASCII has one form only, so that two certificates for one mailbox do not differ.
    if not at or local.isascii() != (kind == "rfc822Name") or not 1 <= len(local.encode()) <= LONGEST_LOCAL_PART:
        return None
    plain = "".join(character if character.isascii() else "x" for character in local)
    if not _LOCAL.fullmatch(plain) or not local.isprintable():
        return None
    labels = _a_labels(domain)
    written = f"{local}@{labels}"
    return written if labels and "." in labels and len(written.encode()) <= LONGEST_MAILBOX else None


def _a_labels(domain: str) -> str:
    """Returns the domain in A-labels (RFC 5891); empty if it is invalid. Does not change an ASCII domain."""
    if domain.isascii():
        return domain if _DNS.fullmatch(domain) else ""
    try:
        return idna.encode(domain).decode()
    except idna.IDNAError:
        return ""


def build(allowed: tuple[str, ...], values: Mapping[str, str]) -> x509.SubjectAlternativeName | None:
    """Returns the extension's value, kinds in the profile's order; None if there are no names."""
    names = [_general_name(kind, part) for kind in allowed for part in split(values.get(kind, ""))]
    return x509.SubjectAlternativeName(names) if names else None


@functools.lru_cache(maxsize=256)  # a person's certificates are usually built one after another
def _general_name(kind: str, value: str) -> x509.GeneralName:
    if kind == "iPAddress":
        return x509.IPAddress(ipaddress.ip_address(value))
    if kind == "dNSName":
        return x509.DNSName(value)
    if kind == "rfc822Name":
        return x509.RFC822Name(_mailbox(kind, value) or value)
    if kind == "smtpUtf8Mailbox":
        return x509.OtherName(x509.ObjectIdentifier(SMTP_UTF8_MAILBOX), UTF8String(_mailbox(kind, value) or value).dump())
    return x509.OtherName(x509.ObjectIdentifier(USER_PRINCIPAL_NAME), UTF8String(value).dump())


_OTHER_NAMES = {USER_PRINCIPAL_NAME: "userPrincipalName", SMTP_UTF8_MAILBOX: "smtpUtf8Mailbox"}
_NAMES = {"IPAddress": "iPAddress", "DNSName": "dNSName", "RFC822Name": "rfc822Name"}


def kinds(names: Iterable[x509.GeneralName]) -> Iterator[str]:
    """Yields the kind of each name of an extension; the class's name for an unsupported kind."""
    for name in names:
        kind = type(name).__name__
        if isinstance(name, x509.OtherName):
            yield _OTHER_NAMES.get(name.type_id.dotted_string, kind)
        else:
            yield _NAMES.get(kind, kind)


def texts(names: Iterable[x509.GeneralName]) -> dict[str, str]:
    """Returns the names of an extension as plain text by kind, as for `faults` and `build`; leaves out unsupported kinds.

    Raises ValueError for an otherName that is not a UTF8String.
    """
    found: dict[str, list[str]] = {}
    for name in names:
        (kind,) = kinds([name])
        if kind in KINDS:
            value = UTF8String.load(name.value, strict=True).native if isinstance(name, x509.OtherName) else str(name.value)
            found.setdefault(kind, []).append(value)
    return {kind: ",".join(values) for kind, values in found.items()}
