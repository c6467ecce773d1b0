"""What devices ask for, and the check that certificates of mobile eIDs belong to an enrolment and a device that asked for them
(parts of the ports `pki.ports.CertificateRequests` and `IssuanceCheck`, rules/issuance 5.12).

Runs in the `pki` worker, which verifies by itself the terms, the log-ins, the first eID, the device's key and the attestations.
"""

import base64
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db.models import QuerySet

from issuance.authz import holder
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.kinds import MOBILE_EID
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.mobile.domain.states import EnrolmentState
from issuance.mobile.models import MobileEnrolment, MobileRequest
from issuance.mobile.services import attestations, device_proofs, enrolling, enrolments
from issuance.orders.services.certificate_subjects import person_id_subject
from issuance.people.services.people import person_id_of
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError

_FIRST_PROFILES = ("person-hsaid-auth", "person-id-auth", "mobile-auth")
"""The profiles with which the holder of a first eID logs in."""


def requested(request_id: UUID) -> pki.RequestedCertificates:
    """Returns the certificates that a device's request is for, or the reason why there are none."""
    request = _requests().filter(pk=request_id).first()
    if request is None:
        return pki.RequestedCertificates(refusal="no-request")
    if reason := refusal(request):
        return pki.RequestedCertificates(refusal=reason)
    row = request.enrolment
    carrier = enrolments.carrier_of(row)
    csrs = _csrs(request)
    return pki.RequestedCertificates(
        orders={UUID(id_): _order(carrier, profile, csrs[profile]) for profile, id_ in request.certificate_ids.items()},
        unit_ref=f"organisation:{carrier.organisation_id}",
        actor_ref=holder(row.person_id).ref,
    )


def refusal(request: MobileRequest) -> str:
    """Returns a reason code if the request must not be certified, else "". Runs a fixed number of queries."""
    row, csrs = request.enrolment, _csrs(request)
    carrier = row.carrier
    if enrolments.state_now(row) is not EnrolmentState.STARTED:
        return "enrolment-state"
    if carrier is None or carrier.state != CarrierState.ORDERED or carrier.kind != MOBILE_EID.code:
        return "card-state"
    if (carrier.person_id, carrier.organisation_id) != (row.person_id, row.organisation_id):
        return "person"
    if row.organisation_id != row.logged_in_with.organisation_id or row.terms_id is None:
        return "organisation"
    if reason := _of_holder(row):
        return reason
    if not device_proofs.is_proven(row, csrs, bytes(request.signature)):
        return "proof-refused"
    if not attestations.covers(row.attestation, [bytes(row.device_key_spki)]):
        return "device-attestation"
    keys = [device_proofs.key_of(der) for der in csrs.values()]
    return "" if attestations.covers(request.attestation, keys) else "key-attestation"


def faults(certificates: Sequence[pki.CardCertificate]) -> dict[UUID, str]:
    """Returns a reason code for each certificate that must not be signed. Runs a fixed number of queries for each request."""
    if not certificates:
        return {}
    links = CarrierCertificate.objects.filter(certificate_id__in=[each.id for each in certificates])
    carriers = dict(links.values_list("certificate_id", "carrier_id"))
    requests = {request.enrolment.carrier_id: request for request in _requests().filter(enrolment__carrier__in=carriers.values())}
    refused = {carrier_id: refusal(request) for carrier_id, request in requests.items()}
    found = {}
    for each in certificates:
        carrier_id = carriers[each.id]
        request = requests.get(carrier_id)
        if reason := "no-order" if request is None else refused[carrier_id] or _fault(each, request):
            found[each.id] = reason
    return found


def _of_holder(row: MobileEnrolment) -> str:
    """Returns why the holder's log-ins or first eID do not allow the mobile eID, or ""."""
    if not enrolling.is_logged_in(row):
        return "log-in"
    try:
        enrolling.require_first_eid(row)
    except DomainError:
        return "first-eid"
    if not _has_certificate(row.logged_in_with):
        return "first-eid"
    others = enrolments.valid_mobiles(row.person_id).exclude(pk__in=[row.carrier_id])
    return "too-many" if others.count() >= enrolments.most() else ""


def _has_certificate(first: Carrier) -> bool:
    """Returns whether `pki` has issued a certificate on the first eID to log in with, which is in force. Nothing that the portal
    may write gets one.
    """
    links = CarrierCertificate.objects.filter(carrier=first, profile__in=_FIRST_PROFILES)
    views = pki.certificates(list(links.values_list("certificate_id", flat=True)))
    refs = (carrier_ref(first.pk), f"person:{first.person_id}")
    now = clock.now()
    return any(
        view.status == "issued" and not view.held and view.not_after > now and (view.carrier_ref, view.subject_ref) == refs
        for view in views
    )


def _fault(certificate: pki.CardCertificate, request: MobileRequest) -> str:
    """Returns the reason why the certificate differs from its request, or "". Subject and names are equal byte for byte."""
    carrier = enrolments.carrier_of(request.enrolment)
    if request.certificate_ids.get(certificate.profile) != str(certificate.id):
        return "profile"
    if certificate.ca != MOBILE_EID.ca_of(certificate.profile, carrier.assurance_level):
        return "profile"
    if certificate.card_number or certificate.carrier_ref != carrier_ref(carrier.pk):
        return "card"
    named = pki.certificate_names(certificate.profile, _subject(carrier), {})
    if certificate.subject_ref != f"person:{carrier.person_id}" or (certificate.subject, certificate.alternative) != named:
        return "subject"
    if certificate.held:
        return "hold"
    return "validity" if certificate.not_after > carrier.valid_to else ""


def _order(carrier: Carrier, profile: str, csr_der: bytes) -> pki.CertificateOrder:
    return pki.CertificateOrder(
        ca=MOBILE_EID.ca_of(profile, carrier.assurance_level),
        profile=profile,
        subject=_subject(carrier),
        subject_alternative={},
        csr_der=csr_der,
        subject_ref=f"person:{carrier.holder_id}",
        carrier_ref=carrier_ref(carrier.pk),
        card_number=None,
        not_after=carrier.valid_to,
        key_field=f"csrs.{profile}",
    )


def _subject(carrier: Carrier) -> Mapping[str, str]:
    return person_id_subject(carrier.holder, person_id_of(carrier.holder_id))


def _csrs(request: MobileRequest) -> dict[str, bytes]:
    return {profile: base64.b64decode(text) for profile, text in request.csrs.items()}


def _requests() -> QuerySet[MobileRequest]:
    related = ("enrolment__person", "enrolment__organisation", "enrolment__carrier__person", "enrolment__logged_in_with")
    return MobileRequest.objects.select_related(*related)
