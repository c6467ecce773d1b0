"""The operators' certificate search: by a selective value, or through the certificates of one CA."""

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self
from uuid import UUID

from django.db.models import Exists, Q, QuerySet

from pki.domain import serials
from pki.models import Certificate, CertificateAuthority, CertificateBlob, Fingerprint, ProfileVersion
from siths_portal.lib.errors import Invalid

PAGE = 25
LOOKED_THROUGH = 20_000
"""The limit of a CA's certificates that one page scans for matches."""

LONGEST_TEXT = 16_000
_PARTS = re.compile(r"[\s:.\-]+")
_HEX = re.compile(r"(?:0[xX])?([0-9A-Fa-f]+)")
_REFERENCE = re.compile(r"(person|carrier|organisation|client|ocsp|ca|function):[\w.:-]{1,70}")
_MAPPING = re.compile(r"X509:<I>.*<SR>", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SHA256_DIGITS = 64
_LONGEST_DECIMAL = 49  # digits of a number of 20 octets


@dataclass(frozen=True)
class CertificateCriteria:
    """Search criteria.

    At most one of `serials`, `sha256` (of a certificate or of its key), `certificate_id`, `subject_ref` and `carrier_ref` is
    given; otherwise `ca_id` is. `expires_from` (inclusive) and `expires_before` (exclusive) bound notAfter, in ISO 8601.
    """

    serials: tuple[str, ...] = ()
    sha256: str = ""
    certificate_id: str = ""
    subject_ref: str = ""
    carrier_ref: str = ""
    ca_id: int | None = None
    profile: str = ""
    status: str = ""
    expires_from: str = ""
    expires_before: str = ""

    @property
    def names_few(self) -> bool:
        """Returns whether a value with a selective index is given."""
        return bool(self.serials or self.sha256 or self.certificate_id or self.subject_ref or self.carrier_ref)

    @property
    def is_filtered(self) -> bool:
        """Returns whether the criteria exclude some certificates of the CA."""
        return bool(self.profile or self.status or self.expires_from or self.expires_before)

    def as_json(self) -> dict[str, Any]:
        """Returns the given criteria as plain values."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Returns the criteria from the values of `as_json`."""
        plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return cls(**plain)


@dataclass(frozen=True)
class CertificateLine:
    """A certificate in a list, without any data about its holder."""

    id: UUID
    ca: str
    generation: int
    ca_name: str
    serial: str
    profile: str
    status: str
    held: bool
    not_before: dt.datetime
    not_after: dt.datetime


@dataclass(frozen=True)
class CertificatePage:
    """A page of results. `after` is the start of the next page, None at the end.

    `looked_through` is True if this page ended because it had scanned LOOKED_THROUGH certificates.
    """

    lines: tuple[CertificateLine, ...]
    after: UUID | None
    looked_through: bool = False


def parse_text(text: str) -> dict[str, Any]:
    """Parses a search text into fields of CertificateCriteria; an empty text gives no field. Raises Invalid (field text).

    A serial number is hex in either byte order, with or without spaces and colons, or decimal, or the value of
    altSecurityIdentities; 64 hex digits are a SHA-256. The text may also be our id, a reference or a certificate in PEM.
    """
    text = text.strip()
    if not text:
        return {}
    if pem := _PEM.search(text):
        return {"sha256": _sha256_of_pem(pem[1])}
    if is_uuid(text):
        return {"certificate_id": str(UUID(text))}
    if _REFERENCE.fullmatch(text):
        return {"carrier_ref" if text.startswith("carrier:") else "subject_ref": text}
    digits = _HEX.fullmatch(_PARTS.sub("", _MAPPING.sub("", text)))
    if digits is None:
        raise _refused("Skriv ett serienummer, ett fingeravtryck (SHA-256), ett certifikat-id eller en referens.")
    if len(digits[1]) == _SHA256_DIGITS:
        return {"sha256": digits[1].lower()}
    return {"serials": tuple(_serials(digits[1]))}


def is_uuid(text: str) -> bool:
    """Returns whether a text is a UUID with hyphens; without them it could be a serial number."""
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


def _serials(digits: str) -> list[str]:
    octets = bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
    numbers = [int.from_bytes(octets), int.from_bytes(octets, "little")]
    # Python refuses to parse thousands of decimal digits, and no serial number is that long.
    if digits.isdecimal() and len(significant := digits.lstrip("0")) <= _LONGEST_DECIMAL:
        numbers.append(int(significant or "0"))
    found = dict.fromkeys(serials.text(number) for number in numbers if 0 < number < 1 << 160)
    if not found:
        raise _refused("Ett serienummer har högst 20 byte: 40 tecken hexadecimalt eller 49 siffror.")
    return list(found)


def _sha256_of_pem(body: str) -> str:
    try:
        return hashlib.sha256(base64.b64decode("".join(body.split()), validate=True)).hexdigest()
    except ValueError:
        raise _refused("Certifikatet går inte att läsa. Klistra in hela texten, från BEGIN till END.") from None


def _refused(message: str) -> Invalid:
    return Invalid("certificate-search", message, fields={"text": [message]})


def certificate_criteria(
    *,
    text: str = "",
    ca: tuple[str, int] | None = None,
    profile: str = "",
    status: str = "",
    expires_from: dt.datetime | None = None,
    expires_before: dt.datetime | None = None,
) -> CertificateCriteria:
    """Returns the criteria of form values. `ca` is slug and generation. Raises Invalid (fields text, ca, expires_before)."""
    meant = parse_text(text)
    ca_id = None
    if ca is not None:
        rows = CertificateAuthority.objects.filter(slug=ca[0], generation=ca[1])
        ca_id = rows.values_list("id", flat=True).first()
        if ca_id is None:
            raise Invalid("ca-unknown", "Utfärdaren finns inte.", fields={"ca": ["Välj en utfärdare i listan."]})
    if not meant and ca_id is None:
        message = "Skriv vad du söker, eller välj en utfärdare att bläddra bland."
        raise Invalid("certificate-search-empty", message, fields={"text": [message]})
    if expires_from and expires_before and expires_before <= expires_from:
        message = "Den sista dagen ligger före den första."
        raise Invalid("certificate-search-window", message, fields={"expires_to": [message]})
    return CertificateCriteria(
        **meant,
        ca_id=ca_id,
        profile=profile,
        status=status,
        expires_from=expires_from.isoformat() if expires_from else "",
        expires_before=expires_before.isoformat() if expires_before else "",
    )


def profile_names() -> list[str]:
    """Returns the names of profiles that certificates may have."""
    return list(ProfileVersion.objects.order_by("name").distinct().values_list("name", flat=True))


def find_certificates(
    wanted: CertificateCriteria, *, after: UUID | None = None, limit: int = PAGE, hidden: Exists | None = None
) -> CertificatePage:
    """Returns a page of certificates, the newest first. `hidden` is a condition on a certificate's `pk` for excluded ones.

    A search by a selective value reads that value's index. A search through a CA reads the index of the CA's serials from the
    end, at most LOOKED_THROUGH a page, so that no filter can make the database read millions of rows for one page.
    """
    rows = lines_of(Certificate.objects.all(), hidden)
    if wanted.names_few:
        found = rows.filter(_numbers(wanted), _filters(wanted)).order_by("-id")
        return _page(list((found.filter(id__lt=after) if after else found)[: limit + 1]), limit)
    return _through_ca(rows, wanted, after, limit)


def _through_ca(rows: QuerySet[Certificate], wanted: CertificateCriteria, after: UUID | None, limit: int) -> CertificatePage:
    own = Certificate.objects.filter(ca_id=wanted.ca_id).order_by("-serial")
    start = Certificate.objects.filter(pk=after, ca_id=wanted.ca_id).values_list("serial", flat=True).first() if after else None
    if start is not None:
        own, rows = own.filter(serial__lt=start), rows.filter(serial__lt=start)
    found = rows.filter(_filters(wanted), ca_id=wanted.ca_id).order_by("-serial")
    if not wanted.is_filtered:
        return _page(list(found[: limit + 1]), limit)
    page = _page(list(found.filter(pk__in=own.values("pk")[:LOOKED_THROUGH])[: limit + 1]), limit)
    if page.after is not None:
        return page
    last = own.values_list("pk", flat=True)[LOOKED_THROUGH - 1 : LOOKED_THROUGH].first()
    return CertificatePage(page.lines, last, looked_through=last is not None)


def _numbers(wanted: CertificateCriteria) -> Q:
    if wanted.serials:
        # Every CA is listed, so that PostgreSQL uses the index that begins with the CA.
        cas = list(CertificateAuthority.objects.values_list("id", flat=True))
        return Q(ca_id__in=cas, serial__in=wanted.serials)
    if wanted.sha256:
        blobs = CertificateBlob.objects.annotate(sha256=Fingerprint("der")).filter(sha256=bytes.fromhex(wanted.sha256))
        whole = list(blobs.values_list("certificate_id", flat=True))
        return Q(pk__in=whole) if whole else Q(spki_sha256=wanted.sha256)
    if wanted.certificate_id:
        return Q(pk=wanted.certificate_id)
    if wanted.carrier_ref:
        return Q(carrier_ref=wanted.carrier_ref)
    return Q(subject_ref=wanted.subject_ref)


def _filters(wanted: CertificateCriteria) -> Q:
    condition = Q()
    if wanted.ca_id:
        condition &= Q(ca_id=wanted.ca_id)
    if wanted.profile:
        versions = list(ProfileVersion.objects.filter(name=wanted.profile).values_list("id", flat=True))
        condition &= Q(profile_version_id__in=versions)
    if wanted.status:
        condition &= Q(status=wanted.status)
    if wanted.expires_from:
        condition &= Q(not_after__gte=dt.datetime.fromisoformat(wanted.expires_from))
    if wanted.expires_before:
        condition &= Q(not_after__lt=dt.datetime.fromisoformat(wanted.expires_before))
    return condition


def lines_of(rows: QuerySet[Certificate], hidden: Exists | None = None) -> QuerySet[Certificate]:
    """Returns the rows with only the columns that `line` needs. `hidden` is a condition on `pk` for excluded certificates."""
    wanted = rows.select_related("ca", "profile_version").only(
        "serial", "status", "held", "not_before", "not_after", "ca__slug", "ca__generation", "ca__common_name",
        "profile_version__name",
    )  # fmt: skip
    return wanted if hidden is None else wanted.exclude(hidden)


def line(row: Certificate) -> CertificateLine:
    """Returns a row as a line of a list."""
    return CertificateLine(
        id=row.id,
        ca=row.ca.slug,
        generation=row.ca.generation,
        ca_name=row.ca.common_name,
        serial=row.serial,
        profile=row.profile_version.name if row.profile_version else "",
        status=row.status,
        held=row.held,
        not_before=row.not_before,
        not_after=row.not_after,
    )


def _page(rows: list[Certificate], limit: int) -> CertificatePage:
    lines = tuple(line(row) for row in rows[:limit])
    return CertificatePage(lines, lines[-1].id if len(rows) > limit else None)
