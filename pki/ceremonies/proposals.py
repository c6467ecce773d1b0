"""Preparing ceremonies: proposals of files, and registered signatures of their approvers for the command `pki_ceremony` (F9).

Approvers keep their keys and upload detached signatures. The command verifies each signature again when it executes the file.
Functions that write join the caller's transaction.
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from cryptography import x509
from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from pki.ceremonies import plan as ceremony_plan
from pki.ceremonies import signatures
from pki.ceremonies.queries import ParticipantView
from pki.domain.ceremony_file import CeremonyFile, CeremonyFileError, parse
from pki.models import CeremonyProposal, CeremonySignature, Event, KeyCeremony
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, DomainError, Invalid, NotFound

MOST = 100
"""The limit of open proposals in the list."""


@dataclass(frozen=True)
class ProposalView:
    """A proposal in a list. `given` counts the registered signatures, `faulty` those that are no longer valid."""

    id: UUID
    title: str
    environment: str
    file_sha256: str
    required: int
    given: int
    faulty: int
    proposed_by_ref: str
    proposed_at: dt.datetime

    @property
    def is_signed(self) -> bool:
        """Returns whether there are enough signatures. One invalid signature refuses all, as in `signatures.check`."""
        return not self.faulty and self.given >= self.required


@dataclass(frozen=True)
class ApproverView:
    """An approver. `signed_at` is by the signer's clock, None before the signature; `fault` says in Swedish why it is invalid."""

    name: str
    certificate_sha256: str
    not_after: dt.datetime
    signed_at: dt.datetime | None
    registered_by_ref: str
    registered_at: dt.datetime | None
    fault: str

    @property
    def counts(self) -> bool:
        """Returns whether the approver has signed and the signature is valid."""
        return self.signed_at is not None and not self.fault


@dataclass(frozen=True)
class ProposalRecord:
    """A complete proposal. `intentions` are the remaining steps, `obstacle` why the file cannot be executed; both Swedish.

    `ceremony_id` is the ceremony that executes or has executed it, `withdrawn_at` the time of withdrawal; None otherwise.
    """

    view: ProposalView
    requester: str
    participants: tuple[ParticipantView, ...]
    approvers: tuple[ApproverView, ...]
    intentions: tuple[str, ...]
    obstacle: str
    ceremony_id: UUID | None
    withdrawn_at: dt.datetime | None
    file_text: str = field(repr=False)

    @property
    def missing(self) -> int:
        """Returns how many more approvers must sign."""
        return max(self.view.required - sum(each.counts for each in self.approvers), 0)

    @property
    def is_open(self) -> bool:
        """Returns whether signatures are accepted."""
        return self.ceremony_id is None and self.withdrawn_at is None

    @property
    def ready(self) -> bool:
        """Returns whether the command would execute the file now, as far as can be seen without the tokens."""
        return self.is_open and self.view.is_signed and not self.obstacle


@transaction.atomic
def propose(content: bytes, *, actor_ref: str) -> UUID:
    """Stores a ceremony file for signing and returns the proposal's id; the existing proposal's id if the file is the same.

    Raises Invalid for a file that cannot be executed, Conflict for one that was executed already or would change nothing.
    """
    plan = _parsed(content)
    if any(each.file for each in plan.approvers):
        reason = "Godkännarnas certifikat ska stå i filen (certificate), så att alla ser samma."
        raise Invalid("ceremony-file", reason, fields={"file": [reason]})
    signatures.approvers(plan)
    if KeyCeremony.objects.filter(file_sha256=plan.sha256).exists():
        raise Conflict("ceremony-followed", "Filen har redan följts, eller följs nu. En ny ceremoni är en ny fil.")
    if not ceremony_plan.intentions(plan):
        raise Conflict("ceremony-nothing", "Allt som filen säger är redan gjort.")
    row, made = CeremonyProposal.objects.get_or_create(
        file_sha256=plan.sha256,
        withdrawn_at=None,
        defaults={
            "title": plan.title,
            "environment": plan.environment,
            "file_text": plan.text,
            "required": plan.required,
            "proposed_by_ref": actor_ref,
            "proposed_at": clock.now(),
        },
    )
    if made:
        _tell(row, "ceremony.proposed", actor_ref, {"title": row.title, "required": row.required})
    return row.id


@transaction.atomic
def register_signature(proposal_id: UUID, content: bytes, *, actor_ref: str) -> str:
    """Registers an approver's signature over the file and returns the approver's name.

    Raises NotFound, Invalid for an invalid signature, Conflict for a second one or a closed proposal.
    """
    row = _locked(proposal_id)
    plan = parse(row.file_text.encode())
    given = signatures.check_one(plan, signatures.approvers(plan), "som du lämnade", content)
    approver = given.known.approver
    if row.signatures.filter(approver_ref=approver.ref).exists():
        raise Conflict("ceremony-signed", f"{approver.name} har redan skrivit under.")
    signature = given.signature
    CeremonySignature.objects.create(
        proposal=row,
        approver_ref=approver.ref,
        signature=signature.der,
        certificate_der=given.certificate_der,
        signed_at=signature.signed_at,
        registered_by_ref=actor_ref,
        registered_at=clock.now(),
    )
    _tell(row, "ceremony.signature_registered", actor_ref, {"certificate_sha256": given.known.certificate_sha256})
    return approver.name


@transaction.atomic
def withdraw_proposal(proposal_id: UUID, *, actor_ref: str) -> None:
    """Withdraws a proposal; its signatures are not used. Raises NotFound, Conflict if it is closed."""
    row = _locked(proposal_id)
    row.withdrawn_by_ref, row.withdrawn_at = actor_ref, clock.now()
    row.save(update_fields=["withdrawn_by_ref", "withdrawn_at"])
    _tell(row, "ceremony.proposal_withdrawn", actor_ref, {})


def open_proposals() -> list[ProposalView]:
    """Returns proposals that are neither executed nor withdrawn, the newest first; at most MOST."""
    followed = KeyCeremony.objects.filter(file_sha256=OuterRef("file_sha256"))
    rows = _rows().filter(~Exists(followed), withdrawn_at=None).defer("file_text")
    found = list(rows.order_by("-id")[:MOST])
    given = [each for row in found for each in row.signatures.all()]
    wrong = signatures.faults([(x509.load_der_x509_certificate(bytes(each.certificate_der)), each.signed_at) for each in given])
    faulty = Counter(each.proposal_id for each, fault in zip(given, wrong, strict=True) if fault)
    return [_view(row, faulty[row.id]) for row in found]


def proposal(proposal_id: UUID) -> ProposalRecord:
    """Returns one proposal. Raises NotFound."""
    row = _rows().filter(id=proposal_id).first()
    if row is None:
        raise NotFound("ceremony-unknown", "Ceremonin finns inte.")
    plan = parse(row.file_text.encode())
    followed = KeyCeremony.objects.filter(file_sha256=row.file_sha256).values_list("id", flat=True).first()
    intentions, obstacle = ((), "") if followed else _intentions(plan)
    approvers = _approvers(plan, list(row.signatures.all()))
    return ProposalRecord(
        view=_view(row, sum(bool(each.fault) for each in approvers if each.signed_at)),
        requester=plan.requester,
        participants=tuple(ParticipantView(each.role, each.name) for each in plan.participants),
        approvers=approvers,
        intentions=intentions,
        obstacle=obstacle,
        ceremony_id=followed,
        withdrawn_at=row.withdrawn_at,
        file_text=row.file_text,
    )


def _parsed(content: bytes) -> CeremonyFile:
    try:
        return parse(content)
    except CeremonyFileError as error:
        reason = f"Filen går inte att följa: {error}."
        raise Invalid("ceremony-file", reason, fields={"file": [reason]}) from None


def _intentions(plan: CeremonyFile) -> tuple[tuple[str, ...], str]:
    try:
        return tuple(ceremony_plan.intentions(plan)), ""
    except DomainError as error:
        return (), error.message


def _approvers(plan: CeremonyFile, registered: Sequence[CeremonySignature]) -> tuple[ApproverView, ...]:
    given = {each.approver_ref: each for each in registered}
    known = signatures.approvers(plan)
    signed = [given.get(each.approver.ref) for each in known]
    faults = signatures.faults(
        [(each.certificate, signature.signed_at if signature else None) for each, signature in zip(known, signed, strict=True)]
    )
    found = []
    for each, signature, fault in zip(known, signed, faults, strict=True):
        found.append(
            ApproverView(
                name=each.approver.name,
                certificate_sha256=each.certificate_sha256,
                not_after=each.certificate.not_valid_after_utc,
                signed_at=signature.signed_at if signature else None,
                registered_by_ref=signature.registered_by_ref if signature else "",
                registered_at=signature.registered_at if signature else None,
                fault=fault,
            )
        )
    return tuple(found)


def _rows() -> "QuerySet[CeremonyProposal]":
    return CeremonyProposal.objects.prefetch_related(Prefetch("signatures", CeremonySignature.objects.defer("signature")))


def _view(row: CeremonyProposal, faulty: int) -> ProposalView:
    return ProposalView(
        id=row.id,
        title=row.title,
        environment=row.environment,
        file_sha256=row.file_sha256,
        required=row.required,
        given=len(row.signatures.all()),
        faulty=faulty,
        proposed_by_ref=row.proposed_by_ref,
        proposed_at=row.proposed_at,
    )


def _locked(proposal_id: UUID) -> CeremonyProposal:
    row = CeremonyProposal.objects.select_for_update().filter(id=proposal_id).first()
    if row is None:
        raise NotFound("ceremony-unknown", "Ceremonin finns inte.")
    if row.withdrawn_at is not None or KeyCeremony.objects.filter(file_sha256=row.file_sha256).exists():
        raise Conflict("ceremony-closed", "Ceremonin är genomförd eller återtagen. Ladda om sidan.")
    return row


def _tell(row: CeremonyProposal, action: str, actor_ref: str, facts: dict[str, object]) -> None:
    # The subject is the file's hash, as in the ceremony's own events, so that one history has all of them.
    Event.record(actor_ref=actor_ref, action=action, subject_type="ceremony", subject_ref=row.file_sha256, facts=dict(facts))
