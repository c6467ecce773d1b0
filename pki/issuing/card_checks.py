"""Certificates on cards are signed only if `IssuanceCheck` knows their order; in the `pki` worker (ADR 0310)."""

from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import structlog
from asn1crypto.core import ObjectIdentifier
from cryptography.x509.oid import ExtensionOID

from pki.domain import alternative_names, der, names, tbs
from pki.domain.profile import CARD_NUMBER, Profile
from pki.domain.profiles import PROFILES
from pki.issuing.claiming import Claimed
from pki.models import ProfileVersion
from pki.ports import CardCertificate, IssuanceCheck
from siths_portal.lib import ports
from siths_portal.lib.monitoring import metrics

log = structlog.get_logger(__name__)

_REFUSED = metrics.counter(
    "pki_card_certificates_refused", "Certificates that were not signed because no order agrees", ["reason"]
)
_ALTERNATIVE = ObjectIdentifier(ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string).dump()
_CARD_NUMBER = ObjectIdentifier(CARD_NUMBER).dump()


def refusals(rows: Sequence[Claimed], profile_of: Callable[[ProfileVersion], Profile | None]) -> Mapping[UUID, str]:
    """Returns a reason for each claimed row of a card's profile without a matching order. `rows` have readable bytes.

    A row of another profile needs no order. Raises PortNotConnected if no app provides orders: then nothing is signed.
    """
    cards = [_card_certificate(row, profile) for row in rows if (profile := _card_profile(row, profile_of))]
    if not cards:
        return {}
    found = ports.get(IssuanceCheck).refusals(cards)
    for id_, reason in found.items():
        log.error("certificate.not_ordered", certificate=str(id_), reason=reason)
        _REFUSED.labels(reason).inc()
    return found


def certificate_names(profile: str, subject: Mapping[str, str], alternative: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Returns subject and subjectAltName (empty without one) in DER, as `plan_certificates` writes them for an order."""
    known = PROFILES[profile]
    built = alternative_names.build(known.alternative_names, alternative)
    return names.encode(known.subject, subject), b"" if built is None else built.public_bytes()


def _card_profile(row: Claimed, profile_of: Callable[[ProfileVersion], Profile | None]) -> Profile | None:
    profile = profile_of(row.profile_version) if row.profile_version else None
    return profile if profile is not None and profile.is_on_carrier else None


def _card_certificate(row: Claimed, profile: Profile) -> CardCertificate:
    fields = tbs.fields(row.tbs_der)
    extensions = _extensions(row.tbs_der, fields.extensions)
    number = extensions.get(_CARD_NUMBER, b"")
    return CardCertificate(
        id=row.id,
        ca=row.ca.slug,
        profile=profile.name,
        subject_ref=row.subject_ref,
        carrier_ref=row.carrier_ref,
        subject=row.tbs_der[fields.subject.start : fields.subject.end],
        alternative=extensions.get(_ALTERNATIVE, b""),
        card_number=number[der.whole(number, der.PRINTABLE_STRING).content :].decode("ascii") if number else "",
        not_after=row.not_after,
        held=row.held,
    )


def _extensions(data: bytes, found: der.Element) -> dict[bytes, bytes]:
    """Returns the DER content of each extension, by its OID in DER."""
    (sequence,) = der.children(data, found)
    values = {}
    for each in der.children(data, sequence):
        oid, *_critical, value = der.children(data, each)
        values[data[oid.start : oid.end]] = data[value.content : value.end]
    return values
