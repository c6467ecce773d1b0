"""The check that certificates on a reserve card belong to a hand-out that on level 3 two officers have signed, and that its
holder was identified (part of the port `pki.ports.IssuanceCheck`). Runs in the `pki` worker, which verifies the signatures by
itself.
"""

import datetime as dt
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from issuance.activation.models import CertificateRequest, EidAppTransaction, Statement
from issuance.activation.services import identifications, statements, transactions
from issuance.authz.actor import card
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import CarrierCertificate
from issuance.orders.domain.rules import LOA3
from issuance.orders.services.certificate_subjects import hsa_subject, subject_alternative
from issuance.organisations.models import Organisation
from issuance.people.models.persons import PersonIdentifier
from issuance.reserve_cards import domain
from issuance.reserve_cards.domain import IssueState, Part
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.reserve_cards.services import contents
from issuance.roles.services.subjects import person_of
from pki import service as pki
from siths_portal.lib import clock

TRANSPORT = "transport"
"""The profile of the certificate that a supplier gets for a blank card."""


@dataclass(frozen=True)
class _Evidence:
    """What hand-outs are compared with: the certificates that signed their statements, the person of the card of each
    certificate, the numbers that each person has, the cards that a supplier made, and the transaction in which each eID is
    activated.
    """

    certificates: Mapping[UUID, pki.CertificateView]
    signers: Mapping[UUID, tuple[str, UUID | None]]
    numbers: Mapping[UUID, frozenset[str]]
    made: Container[UUID]
    activations: Mapping[UUID, EidAppTransaction]


def faults(certificates: Mapping[UUID, Sequence[pki.CardCertificate]]) -> dict[UUID, str]:
    """Returns a reason code for each certificate that must not be signed. The argument has the certificates by the eID that they
    were planned for. Runs a fixed number of queries.
    """
    rows = ReserveCardIssue.objects.filter(eid__in=list(certificates)).select_related(
        "carrier", "eid__organisation", "person", "post", "first_statement", "second_statement"
    )
    issues = {row.eid_id: row for row in rows}
    tops = _tops([row.eid.organisation for row in issues.values() if row.eid])
    evidence = _evidence(list(issues.values()))
    found = {}
    for eid_id, planned in certificates.items():
        issue = issues.get(eid_id)
        unproven = "no-order" if issue is None else _unproven(issue, evidence)
        for each in planned:
            if reason := unproven or (_fault(each, issue, tops) if issue else ""):
                found[each.id] = reason
    return found


def _fault(certificate: pki.CardCertificate, issue: ReserveCardIssue, tops: Mapping[UUID, Organisation]) -> str:
    """Returns the reason why the certificate differs from its hand-out, or "". Subject and names are equal byte for byte."""
    carrier, eid = issue.carrier, issue.eid
    if eid is None or issue.state != IssueState.BOUND or eid.state != EidState.ORDERED or carrier.state != CarrierState.RESERVED:
        return "order-state"
    kind = kinds.kind_of(carrier.kind)
    if certificate.profile not in kind.profiles(kinds.Owner.EID, kinds.Stage.ACTIVATION):
        return "profile"
    if certificate.ca != kind.ca_of(certificate.profile, issue.assurance_level):
        return "profile"
    if certificate.card_number != carrier.card_serial or certificate.carrier_ref != carrier_ref(carrier.pk):
        return "card"
    if not carrier.person_id == issue.person_id == issue.post.person_id or eid.carrier_id != carrier.pk:
        return "subject"
    subject = hsa_subject(issue.person, eid, tops[eid.organisation_id])
    named = pki.certificate_names(certificate.profile, subject, subject_alternative(eid, certificate.profile))
    if certificate.subject_ref != f"person:{issue.person_id}" or (certificate.subject, certificate.alternative) != named:
        return "subject"
    if eid.hsa_id != issue.post.hsa_id or eid.assurance_level != issue.assurance_level:
        return "subject"
    if certificate.held:
        return "hold"
    return "validity" if certificate.not_after > issue.valid_to else ""


def _unproven(issue: ReserveCardIssue, evidence: _Evidence) -> str:
    return _unmade(issue, evidence) or _unsigned(issue, evidence) or _unidentified(issue, evidence)


def _unidentified(issue: ReserveCardIssue, evidence: _Evidence) -> str:
    """Returns why the holder is not identified for the activation, or "". That is at a visit after the hand-out, by the officer
    who opened the activation, or at the hand-out itself if its holder activates the card on Mina sidor.
    """
    row = evidence.activations.get(issue.eid_id) if issue.eid_id else None
    found = row.identification if row else None
    if row is None or found is None or found.carrier_id != issue.carrier_id or identifications.is_withdrawn(found):
        return "identification"
    if found.at < issue.created_at or person_of(found.officer_ref) == issue.person_id:
        return "identification"
    if not transactions.is_by_card(row):
        return "" if found.officer_ref == row.officer_ref else "identification"
    is_second = issue.assurance_level >= LOA3
    by = (issue.approver_ref, issue.approver_document) if is_second else (issue.officer_ref, issue.identity_document)
    if row.officer_ref != card(issue.carrier_id).ref or found.pk != issue.identification_id:
        return "identification"
    is_recent = found.at > clock.now() - dt.timedelta(days=domain.OWN_ACTIVATION_DAYS)
    return "" if is_recent and (found.officer_ref, found.identity_document) == by else "identification"


def _unmade(issue: ReserveCardIssue, evidence: _Evidence) -> str:
    """Returns why the card is not one that a supplier made, or "". Nothing that the portal may write gets a blank card's
    certificate, and the portal cannot change the key of a card that has one.
    """
    return "" if issue.carrier_id in evidence.made else "card"


def _unsigned(issue: ReserveCardIssue, evidence: _Evidence) -> str:
    """Returns why the two officers' signatures do not cover a hand-out on level 3, or "". Level 2 needs none."""
    if issue.assurance_level < LOA3:
        return ""
    first, second = person_of(issue.officer_ref), person_of(issue.approver_ref) if issue.approver_ref else None
    if second is None or len({first, second, issue.person_id}) != 3:
        return "three-persons"
    signed = ((issue.first_statement, Part.FIRST, first), (issue.second_statement, Part.SECOND, second))
    return next((reason for each in signed if (reason := _statement_fault(issue, *each, evidence))), "")


def _statement_fault(issue: ReserveCardIssue, statement: Statement | None, part: Part, officer: UUID, evidence: _Evidence) -> str:
    if statement is None or statement.certificate_id is None:
        return "not-signed"
    profile, signer = evidence.signers.get(statement.certificate_id, ("", None))
    if signer != officer or profile != statements.SIGNING_PROFILE:
        return "another-officer"
    document = issue.identity_document if part is Part.FIRST else issue.approver_document
    numbers = evidence.numbers.get(issue.person_id, frozenset())
    wanted = [
        domain.content(contents.facts_of(issue, number), part=part, officer=str(officer), identity_document=document)
        for number in numbers
    ]
    if statement.content not in wanted:
        return "other-content"
    return statements.signature_fault(statement, evidence.certificates.get(statement.certificate_id))


def _evidence(issues: Sequence[ReserveCardIssue]) -> _Evidence:
    both = [each for issue in issues for each in (issue.first_statement, issue.second_statement) if each is not None]
    ids = [each.certificate_id for each in both if each.certificate_id is not None]
    links = CarrierCertificate.objects.filter(certificate_id__in=ids, eid=None, carrier__assurance_level__gte=LOA3)
    columns = links.values_list("certificate_id", "profile", "carrier__person_id")
    numbers: dict[UUID, set[str]] = {}
    rows = PersonIdentifier.objects.filter(person__in=[issue.person_id for issue in issues], valid_to=None)
    for person_id, value in rows.values_list("person_id", "value"):
        numbers.setdefault(person_id, set()).add(value)
    asked = CertificateRequest.objects.filter(eid__in=[issue.eid_id for issue in issues])
    related = asked.select_related("transaction__identification__withdrawal")
    blank = CarrierCertificate.objects.filter(carrier__in=[issue.carrier_id for issue in issues], profile=TRANSPORT)
    cards = dict(blank.values_list("certificate_id", "carrier_id"))
    views = {view.id: view for view in pki.certificates([*ids, *cards])}
    return _Evidence(
        certificates=views,
        signers={id_: (profile, person_id) for id_, profile, person_id in columns},
        numbers={person_id: frozenset(values) for person_id, values in numbers.items()},
        activations={each.eid_id: each.transaction for each in related},
        made={carrier_id for id_, carrier_id in cards.items() if _is_of_blank_card(views.get(id_), carrier_id)},
    )


def _is_of_blank_card(view: pki.CertificateView | None, carrier_id: UUID) -> bool:
    found = (view.profile, view.status, view.carrier_ref) if view else ()
    return found == (TRANSPORT, "issued", carrier_ref(carrier_id))


def _tops(organisations: Sequence[Organisation]) -> dict[UUID, Organisation]:
    """Returns the organisation without a parent above each organisation."""
    paths = {each.pk: "/".join(each.scope_path.split("/")[:3]) + "/" for each in organisations}
    by_path = {row.scope_path: row for row in Organisation.objects.filter(scope_path__in=set(paths.values()))}
    return {pk: by_path[path] for pk, path in paths.items()}
