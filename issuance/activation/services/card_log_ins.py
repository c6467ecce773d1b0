"""Whom the certificates of cards log in (port `authn.ports.CardCertificates`)."""

from uuid import UUID

from authn.ports import CardHolder, Credential, SubjectUnknown
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.people.models.persons import PersonIdentifier
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.assurance import REQUIRED_LEVEL, Level

_HSA_PROFILE, _PERSON_PROFILE, _TRANSPORT_PROFILE = "person-hsaid-auth", "person-id-auth", "transport"
_NUMBERS = ("personnummer", "samordningsnummer")


class CertificatesOfCards:
    """Reads certificates, cards and eIDs. The transport certificate of a reserve card identifies the card, not a person."""

    def reference(self, der: bytes) -> str:
        """Returns the certificate's id. Raises SubjectUnknown (`authn.ports.CardCertificates`)."""
        view = pki.of_der(der)
        if view is None:
            raise SubjectUnknown("certificate-unknown")
        _checked(view)
        return str(view.id)

    def holder(self, reference: str) -> CardHolder:
        """Returns the holder of the certificate with this id. Raises SubjectUnknown as `reference` does."""
        found = pki.certificates([UUID(reference)])
        if not found:
            raise SubjectUnknown("certificate-unknown")
        row = _checked(found[0])
        credential = Credential(_level(row), row.carrier.card_serial)
        if credential.level is Level.CARD:
            return CardHolder("", (), "", credential)
        number = PersonIdentifier.objects.filter(person=row.carrier.person_id, kind__in=_NUMBERS, valid_to=None).first()
        if number is None:
            raise SubjectUnknown("person-unknown")
        hsa_id = row.eid.hsa_id if row.eid else ""
        return CardHolder(hsa_id, (hsa_id,) if hsa_id else _hsa_ids(row.carrier), number.value, credential)


def _checked(view: pki.CertificateView) -> CarrierCertificate:
    """Returns the row of a certificate that may log in now. Raises SubjectUnknown with the first reason why it may not."""
    if view.status != "issued":
        raise SubjectUnknown("certificate-revoked")
    if view.held:
        raise SubjectUnknown("certificate-on-hold")
    if not view.not_before <= clock.now() < view.not_after:
        raise SubjectUnknown("certificate-out-of-time")
    row = CarrierCertificate.objects.select_related("carrier", "eid").filter(certificate_id=view.id).first()
    if row is None or row.profile not in (_HSA_PROFILE, _PERSON_PROFILE, _TRANSPORT_PROFILE):
        raise SubjectUnknown("certificate-not-for-log-in")
    if row.profile != _TRANSPORT_PROFILE and not _is_in_use(row):
        raise SubjectUnknown("certificate-not-active")
    return row


def _is_in_use(row: CarrierCertificate) -> bool:
    in_use = row.carrier.state == CarrierState.ACTIVE and row.carrier.person_id is not None
    return in_use and (row.eid is None or row.eid.state == EidState.ACTIVE)


def _level(row: CarrierCertificate) -> Level:
    """Returns what a log-in with the certificate proves: the lower level of card and eID, or the card alone."""
    if row.profile == _TRANSPORT_PROFILE:
        return Level.CARD
    lowest = min(row.carrier.assurance_level, row.eid.assurance_level if row.eid else REQUIRED_LEVEL)
    return Level.LOA3 if lowest >= REQUIRED_LEVEL else Level.LOA2


def _hsa_ids(carrier: Carrier) -> tuple[str, ...]:
    """Returns the HSA-ids of the card's active eIDs, for its certificate of the person's number."""
    rows = carrier.eids.filter(state=EidState.ACTIVE, valid_to__gt=clock.now(), assurance_level__gte=REQUIRED_LEVEL)
    return tuple(rows.order_by("hsa_id").values_list("hsa_id", flat=True))
