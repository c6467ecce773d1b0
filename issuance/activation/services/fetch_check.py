"""The check that certificates of a fetched eID belong to an order, and to a card that has asked for them (part of the port
`pki.ports.IssuanceCheck`, rules/issuance 5.10). Runs in the `pki` worker, which verifies the card's proof by itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from issuance.activation.models import CertificateRequest
from issuance.activation.services import card_requests, fetch_certificates
from issuance.activation.services.fetch_certificates import SIGNING_PROFILE
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import EidOrderKind, Owner, Stage
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.orders.domain.eid_order_states import EidOrderState
from issuance.orders.domain.rules import LOA3
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.services.certificate_subjects import hsa_subject, person_id_subject, subject_alternative
from issuance.organisations.models import Organisation
from issuance.records.domain.ids import PersonId
from issuance.roles.services.subjects import person_of
from pki import service as pki
from siths_portal.lib import clock


@dataclass(frozen=True)
class Names:
    """What certificates name besides the eID: the persons' current numbers, and the top organisation of each organisation."""

    numbers: Mapping[UUID, PersonId]
    tops: Mapping[UUID, Organisation]


def requests_of(eid_ids: Collection[UUID]) -> dict[UUID, CertificateRequest]:
    """Returns the requests of those eIDs that holders fetch, by eID. Runs one query."""
    rows = CertificateRequest.objects.filter(eid__in=list(eid_ids), eid_order__isnull=False)
    related = ("eid__organisation", "eid__carrier__person", "eid_order__post", "eid_order__carrier", "eid_order__replaces")
    return {row.eid_id: row for row in rows.select_related(*related, "transaction")}


def faults(certificates: Sequence[tuple[CertificateRequest, pki.CardCertificate]], names: Names) -> dict[UUID, str]:
    """Returns a reason code for each certificate that must not be signed. Runs a fixed number of queries."""
    requests = [request for request, _ in certificates]
    extending = [request for request in requests if _extends(request)]
    made = _made_here({request.eid.carrier for request in requests if request not in extending}) | _handed_out(extending)
    found = {}
    for request, certificate in certificates:
        reason = _request_fault(request, made) or _fault(request, certificate, names)
        if reason:
            found[certificate.id] = reason
    return found


def _request_fault(request: CertificateRequest, made: Collection[UUID]) -> str:
    """Returns why the order, the card or the proof does not allow the request, or ""."""
    eid, order = request.eid, _order(request)
    carrier = eid.carrier
    if order.state != EidOrderState.ORDERED or order.expires_at <= clock.now() or eid.state != EidState.ORDERED:
        return "order-state"
    if carrier.state != CarrierState.ACTIVE or carrier.pk not in made or order.carrier_id != carrier.pk:
        return "card"
    if (eid.post_id, eid.hsa_id, eid.organisation_id) != (order.post_id, order.hsa_id, order.organisation_id):
        return "eid"
    if (eid.mail, eid.upn, eid.title, eid.assurance_level) != (order.mail, order.upn, order.title, carrier.assurance_level):
        return "eid"
    is_by_holder = person_of(order.ordered_by_ref) == carrier.person_id
    if order.post.person_id != carrier.person_id or is_by_holder is not _extends(request):
        return "person"
    return (
        ""
        if card_requests.is_proven(request.transaction, carrier, card_requests.csrs_of(request), bytes(request.signature))
        else "proof"
    )


def _fault(request: CertificateRequest, certificate: pki.CardCertificate, names: Names) -> str:
    """Returns the reason why the certificate differs from its order, or "". Subject and names are equal byte for byte."""
    eid = request.eid
    carrier, kind = eid.carrier, kinds.kind_of(eid.carrier.kind)
    profiles = fetch_certificates.profiles_of(_order(request))
    if certificate.profile not in profiles or request.certificate_ids.get(certificate.profile) != str(certificate.id):
        return "profile"
    if certificate.ca != kind.ca_of(certificate.profile, carrier.assurance_level):
        return "profile"
    if certificate.card_number != carrier.card_serial or certificate.carrier_ref != carrier_ref(carrier.pk):
        return "card"
    if kind.certificate(certificate.profile).owner is Owner.EID:
        subject = hsa_subject(carrier.holder, eid, names.tops[eid.organisation_id])
    elif (number := names.numbers.get(carrier.holder_id)) is not None:
        subject = person_id_subject(carrier.holder, number)
    else:
        return "subject"
    named = pki.certificate_names(certificate.profile, subject, subject_alternative(eid, certificate.profile))
    if certificate.subject_ref != f"person:{carrier.person_id}" or (certificate.subject, certificate.alternative) != named:
        return "subject"
    if certificate.held:
        return "hold"
    if eid.valid_to is None or certificate.not_after > min(eid.valid_to, carrier.valid_to):
        return "validity"
    return "validity" if _extends(request) and certificate.not_after > fetch_certificates.extension_end() else ""


def _made_here(carriers: Collection[Carrier]) -> set[UUID]:
    """Returns those of the carriers that a supplier has made for their holder: the certificates that it asked for name both.

    Nothing that the portal may write gets such a certificate, and the portal cannot change the key of a card.
    """
    known = {carrier.pk: carrier for carrier in carriers}
    links = CarrierCertificate.objects.filter(carrier__in=list(known), made_with=None).exclude(csr_sha256="")
    cards = dict(links.values_list("certificate_id", "carrier_id"))
    found = set()
    for view in pki.certificates(list(cards)):
        carrier = known[cards[view.id]]
        asked_for = kinds.kind_of(carrier.kind).profiles(stage=Stage.PERSONALISATION)
        refs = (carrier_ref(carrier.pk), f"person:{carrier.person_id}")
        if view.profile in asked_for and view.der is not None and (view.carrier_ref, view.subject_ref) == refs:
            found.add(carrier.pk)
    return found


def _handed_out(requests: Collection[CertificateRequest]) -> set[UUID]:
    """Returns the cards of requests that extend the eID of a hand-out on level 3. The certificates of that eID, which this
    worker has signed for the same card, person and assignment, are in force. An extension is not extended again.
    """
    orders = {_order(each).replaces_id: each for each in requests if _is_of_replaced(each)}
    of_hand_outs = CertificateRequest.objects.filter(eid__in=list(orders), eid_order=None).values("eid")
    links = CarrierCertificate.objects.filter(eid__in=of_hand_outs, eid__assurance_level__gte=LOA3)
    known = dict(links.values_list("certificate_id", "eid_id"))
    found = set()
    for view in pki.certificates(list(known)):
        carrier = orders[known[view.id]].eid.carrier
        refs = (carrier_ref(carrier.pk), f"person:{carrier.person_id}")
        in_force = view.status == "issued" and not view.held and view.not_after > clock.now()
        if in_force and view.profile == SIGNING_PROFILE and (view.carrier_ref, view.subject_ref) == refs:
            found.add(carrier.pk)
    return found


def _extends(request: CertificateRequest) -> bool:
    return _order(request).kind == EidOrderKind.EXTENSION


def _is_of_replaced(request: CertificateRequest) -> bool:
    """Returns whether the request is for the assignment of the eID that its order replaces, on the same card, of a kind that is
    extended.
    """
    eid, replaced = request.eid, _order(request).replaces
    if replaced is None or kinds.kind_of(eid.carrier.kind).eid_order(EidOrderKind.EXTENSION) is None:
        return False
    return (replaced.carrier_id, replaced.post_id) == (eid.carrier_id, eid.post_id)


def _order(request: CertificateRequest) -> EidOrder:
    if request.eid_order is None:
        raise ValueError(f"the request {request.pk} is not of an eID that its holder fetches")
    return request.eid_order
