"""Whom the certificates of cards log in (port `authn.ports.CardCertificates`)."""

from uuid import UUID

from authn.ports import CardHolder, SubjectUnknown
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.people.models.persons import PersonIdentifier
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.assurance import REQUIRED_LEVEL

_HSA_PROFILE, _PERSON_PROFILE = "person-hsaid-auth", "person-id-auth"
_NUMBERS = ("personnummer", "samordningsnummer")


class CertificatesOfCards:
    """Reads certificates, cards and eIDs. Transport certificates and those of mobile eIDs log nobody in here."""

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
        number = PersonIdentifier.objects.filter(person=row.carrier.person_id, kind__in=_NUMBERS, valid_to=None).first()
        if number is None:
            raise SubjectUnknown("person-unknown")
        hsa_id = row.eid.hsa_id if row.eid else ""
        return CardHolder(hsa_id, (hsa_id,) if hsa_id else _hsa_ids(row.carrier), number.value, row.carrier.card_serial)


def _checked(view: pki.CertificateView) -> CarrierCertificate:
    """Returns the row of a certificate that may log in now. Raises SubjectUnknown with the first reason why it may not."""
    if view.status != "issued":
        raise SubjectUnknown("certificate-revoked")
    if view.held:
        raise SubjectUnknown("certificate-on-hold")
    if not view.not_before <= clock.now() < view.not_after:
        raise SubjectUnknown("certificate-out-of-time")
    rows = CarrierCertificate.objects.select_related("carrier", "eid").filter(certificate_id=view.id)
    row = rows.filter(profile__in=(_HSA_PROFILE, _PERSON_PROFILE), carrier__person__isnull=False).first()
    if row is None:
        raise SubjectUnknown("certificate-not-for-log-in")
    of_eid = row.eid
    if row.carrier.state != CarrierState.ACTIVE or (of_eid is not None and of_eid.state != EidState.ACTIVE):
        raise SubjectUnknown("certificate-not-active")
    if min(row.carrier.assurance_level, of_eid.assurance_level if of_eid else REQUIRED_LEVEL) < REQUIRED_LEVEL:
        raise SubjectUnknown("certificate-level")
    return row


def _hsa_ids(carrier: Carrier) -> tuple[str, ...]:
    """Returns the HSA-ids of the card's active eIDs, for its certificate of the person's number."""
    rows = carrier.eids.filter(state=EidState.ACTIVE, valid_to__gt=clock.now(), assurance_level__gte=REQUIRED_LEVEL)
    return tuple(rows.order_by("hsa_id").values_list("hsa_id", flat=True))
