"""What cards ask for with keys made on them, for the `pki` worker (ports `pki.ports.CertificateRequests` and `BlankCards`)."""

from uuid import UUID

from issuance.activation.models import CertificateRequest
from issuance.activation.services import card_requests, transactions
from issuance.carriers.domain import kinds
from issuance.carriers.domain.references import carrier_id_of, carrier_ref
from issuance.carriers.models import Carrier, Eid
from issuance.mobile.services import device_check
from issuance.orders.services.certificate_subjects import hsa_subject, person_id_subject, subject_alternative
from issuance.orders.services.order_checks import top_organisation
from issuance.people.services.people import person_id_of
from pki import service as pki


class RequestsOfCards:
    """Reads the requests that eID apps sent, and verifies the signature over each by the key of its card or device."""

    def requested(self, request_id: UUID) -> pki.RequestedCertificates:
        """Returns the certificates that the request is for, or the reason why there are none."""
        rows = CertificateRequest.objects.select_related("transaction__carrier__person", "eid__organisation", "eid_order")
        request = rows.filter(pk=request_id).first()
        if request is None:
            return device_check.requested(request_id)
        if reason := card_requests.refusal(request):
            return pki.RequestedCertificates(refusal=reason)
        carrier, eid = request.transaction.carrier, request.eid
        csrs = card_requests.csrs_of(request)
        return pki.RequestedCertificates(
            orders={UUID(id_): _order(carrier, eid, profile, csrs[profile]) for profile, id_ in request.certificate_ids.items()},
            unit_ref=f"organisation:{carrier.organisation_id}",
            actor_ref=transactions.holder_ref(carrier),
        )


def _order(carrier: Carrier, eid: Eid, profile: str, csr_der: bytes) -> pki.CertificateOrder:
    if eid.valid_to is None:
        raise ValueError(f"the eID {eid.pk} has no end")
    if kinds.kind_of(carrier.kind).certificate(profile).owner is kinds.Owner.EID:
        subject = hsa_subject(carrier.holder, eid, top_organisation(eid.organisation))
    else:
        subject = person_id_subject(carrier.holder, person_id_of(carrier.holder_id))
    return pki.CertificateOrder(
        ca=kinds.kind_of(carrier.kind).ca_of(profile, carrier.assurance_level),
        profile=profile,
        subject=subject,
        subject_alternative=subject_alternative(eid, profile),
        csr_der=csr_der,
        subject_ref=f"person:{carrier.holder_id}",
        carrier_ref=carrier_ref(carrier.pk),
        card_number=carrier.card_serial,
        not_after=eid.valid_to,
        key_field=f"csrs.{profile}",
    )


class CardsWithoutPuk:
    """Reads the carriers whose kind has no PUK."""

    def card(self, reference: str) -> pki.BlankCard | None:
        """Returns the card with this `carrier_ref`, or None if there is none or its kind has a PUK."""
        pk = carrier_id_of(reference)
        row = Carrier.objects.filter(pk=pk).exclude(card_serial="").first() if pk else None
        if row is None or kinds.kind_of(row.kind).needs_puk:
            return None
        return pki.BlankCard(row.card_serial, bytes(row.card_key_spki))
