"""The file of machine clients (setting SUPPLIERS_FILE), YAML or JSON. It is validated completely before any row is changed.

clients:
  - client_ref: kortleverantor-1        # lower-case letters, digits and hyphens; never changes
    name: Kortleverantören AB
    kind: supplier                      # or service
    certificates:
      - file: kortleverantor-1.pem      # PEM, relative to this file's folder; only its first certificate is read
      - thumbprint: 5f0c…               # SHA-256 over the DER, 64 hex digits
        revoked: true
    certificate_subject:                # only kind service: allowed values in subjects of ordered certificates (ADR 0138)
      countryName: SE                   # one value or a list; "*" allows every value
      organizationName: Driftpartner AB
      serialNumber: [SE2321000016-A1B2, SE2321000016-C3D4]
    key_attestation:                    # only kind supplier: attestations of the keys in its cards (rules/issuance 3.10)
      required: true                    # false: they are verified if they are sent
      roots: [kortfabrik-root.pem]      # PEM, relative to this file's folder
    push:                               # only kind supplier: it gets its orders by signed calls, and need not fetch them
      url: https://kort.example/siths   # its host must be one of SUPPLIER_PUSH_HOSTS
      keys: [whpk_…]                    # what it signs its answers with (Ed25519); two while it changes its key
    letter_certificate: letters.pem     # only kind supplier that prints PUK letters: their recipient (rules/issuance 3.12)
"""

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from authn.models import ClientKind
from siths_portal.lib.errors import Invalid
from siths_portal.lib.http import addresses, webhooks

_REF = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_HEX = re.compile(r"[0-9a-f]{64}")
_ITEM = {"client_ref", "name", "kind", "certificates"}
_SUBJECT = "certificate_subject"
_ATTESTATION = "key_attestation"
_PUSH = "push"
_LETTER = "letter_certificate"
_OPTIONAL = (_SUBJECT, _ATTESTATION, _PUSH, _LETTER)
_ATTRIBUTES = ("countryName", "localityName", "organizationName", "organizationIdentifier", "serialNumber")
"""Subject attributes that the file can register. A client's granted names, not the file, limit commonName."""


@dataclass(frozen=True)
class CertificateEntry:
    """A certificate in the file, by SHA-256 thumbprint. `not_after` is its end, if the file names the certificate itself."""

    thumbprint: str
    revoked: bool
    not_after: dt.datetime | None


@dataclass(frozen=True)
class ClientEntry:
    """A client in the file."""

    client_ref: str
    name: str
    kind: str
    certificates: list[CertificateEntry]
    certificate_subject: dict[str, list[str]]
    key_attestation: dict[str, Any]
    push: dict[str, Any]
    letter_certificate: str


def thumbprint(der: bytes) -> str:
    """Returns the SHA-256 of the certificate's DER in lower-case hex (the hash of `x5t#S256` in RFC 8705)."""
    return hashlib.sha256(der).hexdigest()


def read(path: Path) -> list[ClientEntry]:
    """Returns the file's clients. Raises Invalid, with the place of the fault, if the file is missing or malformed."""
    import yaml  # here, since only the command that loads the file needs it

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _invalid(f"filen kan inte läsas ({type(error).__name__})") from None
    except yaml.YAMLError:
        raise _invalid("filen är varken YAML eller JSON") from None
    items = content.get("clients") if isinstance(content, dict) else None
    if not isinstance(items, list) or set(content) != {"clients"}:
        raise _invalid("filen ska ha en lista clients")
    entries = [_client(number, item, path.parent) for number, item in enumerate(items, 1)]
    for what, values in (
        ("client_ref", [entry.client_ref for entry in entries]),
        ("certifikat", [certificate.thumbprint for entry in entries for certificate in entry.certificates]),
    ):
        if len(values) != len(set(values)):
            raise _invalid(f"samma {what} står två gånger")
    return entries


def _client(number: int, item: Any, folder: Path) -> ClientEntry:
    place = f"klient {number}"
    if not isinstance(item, dict) or set(item) - {*_OPTIONAL} != _ITEM:
        raise _invalid(f"{place} ska ha fälten {', '.join(sorted(_ITEM))}, och kan ha {', '.join(_OPTIONAL)}")
    if not isinstance(item["client_ref"], str) or not _REF.fullmatch(item["client_ref"]):
        raise _invalid(f"{place}: client_ref ska vara gemener, siffror och bindestreck, högst 63 tecken")
    if not isinstance(item["name"], str) or not 0 < len(item["name"].strip()) <= 200:
        raise _invalid(f"{place}: name ska vara 1-200 tecken")
    if item["kind"] not in ClientKind.values:
        raise _invalid(f"{place}: kind ska vara {' eller '.join(ClientKind.values)}")
    if not isinstance(item["certificates"], list):
        raise _invalid(f"{place}: certificates ska vara en lista")
    certificates = [_certificate(f"{place}, certifikat {n}", value, folder) for n, value in enumerate(item["certificates"], 1)]
    subject = _subject(place, item.get(_SUBJECT, {}))
    if subject and item["kind"] != ClientKind.SERVICE:
        raise _invalid(f"{place}: {_SUBJECT} hör till kind {ClientKind.SERVICE}")
    attestation = _attestation(place, item[_ATTESTATION], folder) if _ATTESTATION in item else {}
    if attestation and item["kind"] != ClientKind.SUPPLIER:
        raise _invalid(f"{place}: {_ATTESTATION} hör till kind {ClientKind.SUPPLIER}")
    push = _push(place, item[_PUSH]) if _PUSH in item else {}
    if push and item["kind"] != ClientKind.SUPPLIER:
        raise _invalid(f"{place}: {_PUSH} hör till kind {ClientKind.SUPPLIER}")
    letter = _letter_certificate(place, item[_LETTER], folder) if _LETTER in item else ""
    if letter and item["kind"] != ClientKind.SUPPLIER:
        raise _invalid(f"{place}: {_LETTER} hör till kind {ClientKind.SUPPLIER}")
    return ClientEntry(item["client_ref"], item["name"].strip(), item["kind"], certificates, subject, attestation, push, letter)


def _attestation(place: str, given: Any, folder: Path) -> dict[str, Any]:
    """Returns `required`, and the roots as PEM. Raises Invalid."""
    if not isinstance(given, dict) or set(given) != {"required", "roots"} or not isinstance(given["required"], bool):
        raise _invalid(f"{place}: {_ATTESTATION} ska ha required (true eller false) och roots")
    names = given["roots"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise _invalid(f"{place}: {_ATTESTATION}.roots ska vara en lista med minst en fil")
    roots = [_certificate_in(folder / name, place) for name in names]
    return {"required": given["required"], "roots": [root.public_bytes(serialization.Encoding.PEM).decode() for root in roots]}


def _push(place: str, given: Any) -> dict[str, Any]:
    """Returns address and keys of a supplier that takes orders by signed calls. Raises Invalid."""
    if not isinstance(given, dict) or set(given) != {"url", "keys"}:
        raise _invalid(f"{place}: {_PUSH} ska ha url och keys")
    url, keys = given["url"], given["keys"]
    if not isinstance(url, str) or not addresses.is_allowed(url, settings.SUPPLIER_PUSH_HOSTS):
        raise _invalid(f"{place}: {_PUSH}.url ska vara https och en värd i SUPPLIER_PUSH_HOSTS")
    if not isinstance(keys, list) or not 1 <= len(keys) <= webhooks.MOST_KEYS or not all(_is_key(key) for key in keys):
        raise _invalid(f"{place}: {_PUSH}.keys ska vara en eller två nycklar på formen whpk_…")
    return {"url": url.rstrip("/"), "keys": keys}


def _letter_certificate(place: str, given: Any, folder: Path) -> str:
    """Returns the thumbprint of the certificate in the file. Raises Invalid, also for a key that letters are not encrypted to."""
    if not isinstance(given, str):
        raise _invalid(f"{place}: {_LETTER} ska vara en fil")
    certificate = _certificate_in(folder / given, place)
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _invalid(f"{place}: {_LETTER} ska ha en nyckel på P-256")
    return thumbprint(certificate.public_bytes(serialization.Encoding.DER))


def _is_key(text: Any) -> bool:
    try:
        webhooks.read_public_key(str(text))
    except ValueError:
        return False
    return True


def _subject(place: str, given: Any) -> dict[str, list[str]]:
    """Returns the allowed values of each attribute, sorted. Raises Invalid."""
    if not isinstance(given, dict) or not set(given) <= set(_ATTRIBUTES):
        raise _invalid(f"{place}: {_SUBJECT} kan ha {', '.join(_ATTRIBUTES)}")
    found: dict[str, list[str]] = {}
    for name, value in given.items():
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(each, str) and 0 < len(each.strip()) <= 128 for each in values):
            raise _invalid(f"{place}: {_SUBJECT}.{name} ska vara en text på 1-128 tecken eller en lista av sådana")
        found[name] = sorted({each.strip() for each in values})
    return found


def _certificate(place: str, item: Any, folder: Path) -> CertificateEntry:
    if (
        not isinstance(item, dict)
        or len(item.keys() & {"file", "thumbprint"}) != 1
        or item.keys() - {"file", "thumbprint", "revoked"}
    ):
        raise _invalid(f"{place} ska ha file eller thumbprint, och kan ha revoked")
    if not isinstance(item.get("revoked", False), bool):
        raise _invalid(f"{place}: revoked ska vara true eller false")
    not_after = None
    if "file" in item:
        certificate = _certificate_in(folder / str(item["file"]), place)
        value, not_after = thumbprint(certificate.public_bytes(serialization.Encoding.DER)), certificate.not_valid_after_utc
    else:
        value = str(item["thumbprint"]).replace(":", "").lower()
    if not _HEX.fullmatch(value):
        raise _invalid(f"{place}: thumbprint ska vara 64 hexadecimala siffror")
    return CertificateEntry(value, item.get("revoked", False), not_after)


def _certificate_in(path: Path, place: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        raise _invalid(f"{place}: filen saknas eller är inget PEM-certifikat") from None


def _invalid(what: str) -> Invalid:
    return Invalid("clients-file-invalid", f"Klientfilen: {what}.")
