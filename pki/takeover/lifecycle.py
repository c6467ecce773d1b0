"""The life cycle of an import: requested, approved by another person, executed in batches that survive a kill.

Each batch is one transaction with its rows, its findings and the position after it; an interrupted run continues there. The CA
is `planned` until the import is complete, so that it publishes no partial status, and then `status_only` (or `external` without
a key here). It issues after `ca_states` makes it active, under a separate approval.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import transaction

from pki.approvals import dual_control
from pki.domain.imported_certificates import CheckedContent
from pki.hsm import HsmError
from pki.issuing import responders
from pki.models import (
    ApprovalAction,
    ApprovalRequest,
    ApprovalState,
    CaImport,
    CaState,
    CertificateAuthority,
    Event,
    ImportState,
    OcspSigner,
    draw_status_versions,
)
from pki.takeover import (
    addresses,
    checking,
    foreign_crls,
    foreign_revocations,
    holds,
    manifest,
    old_crls,
    paper_revocations,
    registering,
    reports,
    signatures,
    storing,
)
from pki.takeover.findings import Ledger
from pki.takeover.manifest import Manifest
from pki.takeover.old_crls import OldLists
from pki.takeover.records import HOLD, SourceCertificate
from pki.takeover.storing import CheckedCertificate, Draw
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, Invalid, Unavailable
from siths_portal.lib.imports.row_faults import RowFault
from siths_portal.lib.processes import jobs

BATCH = 5 * checking.PIECE
"""Rows of a source in one transaction."""

Say = Callable[[Ledger, int], None]
"""Called after each batch with the counts and the number of rows that the run has processed."""


@dataclass(frozen=True)
class ImportResult:
    """A report, and whether it existed before: a finished import of the same files is not repeated.

    `signature` is the signature over an import's report; None for a dry run, and until the token can be used.
    """

    report: reports.ImportReport
    repeated: bool = False
    signature: signatures.Signature | None = None


@dataclass(frozen=True)
class ImportInput:
    """A folder to import. `document` has the hash of every file."""

    manifest: Manifest
    inputs: list[dict[str, object]]

    @property
    def inputs_sha256(self) -> str:
        """Returns the hash of the list of inputs."""
        return sha256_hex(canonical_json(self.inputs))

    @property
    def document(self) -> dict[str, object]:
        """Returns the description of the import that people approve, together with a dry run's findings."""
        return {
            "slug": self.manifest.slug,
            "generation": self.manifest.generation,
            "certificate_sha256": sha256_hex(self.manifest.certificate),
            "format": self.manifest.format,
            "key_id": self.manifest.key_id,
            "hold": self.manifest.hold,
            "inputs_sha256": self.inputs_sha256,
        }


def asked(folder: Path) -> ImportInput:
    """Reads the manifest and hashes every file of the folder. Raises Invalid."""
    found = manifest.read(folder)
    return ImportInput(found, found.inputs())


def request(what: ImportInput, *, requester_ref: str, workers: int, say: Say) -> ApprovalRequest:
    """Requests approval of the import, with the findings of a dry run for the approvers.

    Raises Invalid; Conflict for a folder that cannot be imported or is requested already, also for certificates on hold without
    a decision; and Unavailable.
    """
    if _request_of(what, [ApprovalState.OPEN, ApprovalState.APPROVED]) is not None:
        raise Conflict("import-asked", "Importen är redan begärd.")
    report = dry_run(what, actor_ref=requester_ref, workers=workers, say=say).report
    if held := report.findings.get("on-hold"):
        raise holds.undecided(held)
    found = {name: report.values["counts"].get(name, 0) for name in ("rows", "new", "new_revoked", "revoked", "papers")}
    name = registering.common_name(x509.load_der_x509_certificate(what.manifest.certificate))
    return dual_control.request(
        action=ApprovalAction.IMPORT,
        summary=f"{name}: import av certifikat och spärrlistor",
        document=what.document | found | {"findings": sum(report.findings.values()), "common_name": name},
        requester_ref=requester_ref,
    )


def _request_of(what: ImportInput, states: list[ApprovalState]) -> ApprovalRequest | None:
    found = ApprovalRequest.objects.filter(action=ApprovalAction.IMPORT, state__in=states, expires_at__gt=clock.now())
    rows = found.filter(document__inputs_sha256=what.inputs_sha256).order_by("-created_at")
    return next((row for row in rows if what.document.items() <= row.document.items()), None)


def dry_run(what: ImportInput, *, actor_ref: str, workers: int, say: Say) -> ImportResult:
    """Runs the complete import in one transaction that is rolled back, and returns its report. Needs no approval.

    Holds no lock on a CA that is in use, and stores nothing. Raises Invalid, Conflict, Unavailable.
    """
    registering.bind_key(what.manifest, document_sha256="", actor_ref=actor_ref, record=False)
    with transaction.atomic(durable=True):
        ca = registering.known(what.manifest) or registering.enter(registering.check(what.manifest))
        run = _ImportRun(what, ca, None, actor_ref, workers, say)
        run.certificates()
        with transaction.atomic():
            run.old()
        report = reports.made(what.manifest, what.inputs, ca, run.ledger, run.old_lists, dry=True)
        transaction.set_rollback(True)
    return ImportResult(report)


def carry_out(what: ImportInput, *, actor_ref: str, workers: int, say: Say) -> ImportResult:
    """Executes an approved import, or continues an interrupted one. Repeated for the same files, it changes nothing.

    Raises Conflict if it is not approved or another process imports now, and the errors of `dry_run`.
    """
    with foreign_revocations.import_lock():
        return _carry_out(what, actor_ref, workers, say)


def _carry_out(what: ImportInput, actor_ref: str, workers: int, say: Say) -> ImportResult:
    row = _begun(what)
    if row is not None and row.report is not None:
        _answer(row.ca, actor_ref)
        _publish_list(what, row.ca, actor_ref)
        return ImportResult(reports.ImportReport(row.report), repeated=True, signature=signatures.sign(row, actor_ref=actor_ref))
    if row is None:
        row = _begin(what, actor_ref)
    ca = row.ca
    run = _ImportRun(what, ca, row, actor_ref, workers, say)
    if row.state == ImportState.CERTIFICATES:
        run.certificates()
        faults.point("pki.import.before-lists")
    with transaction.atomic(durable=True):
        run.old()
        # The run read the files after they were hashed, and the approval covers only the hashed bytes.
        same = asked(what.manifest.folder).inputs == what.inputs
        held = run.ledger.findings.get("on-hold", 0)
        if same and not held:
            report = _finish(what, run, row)
        else:
            transaction.set_rollback(True)
    if not same or held:
        CaImport.objects.filter(id=row.id).update(position=0, counts={}, state=ImportState.CERTIFICATES)
        reason = "Mappens filer har ändrats under importen. Lägg tillbaka dem som godkändes och kör igen; allt jämförs då igen."
        raise holds.undecided(held) if same else Conflict("import-files-changed", reason)
    faults.point("pki.import.before-responder")
    signature = signatures.sign(row, actor_ref=actor_ref)
    _answer(ca, actor_ref)
    _publish_list(what, ca, actor_ref)
    return ImportResult(report, signature=signature)


def _answer(ca: CertificateAuthority, actor_ref: str) -> None:
    """Makes the CA's first OCSP responder, once (rules/pki 9.3); `responders.renew_due` makes later ones."""
    ca.refresh_from_db()
    if ca.state == CaState.STATUS_ONLY and not OcspSigner.objects.filter(ca=ca).exists():
        try:
            responders.ensure(ca, actor_ref=actor_ref)
        except HsmError:
            raise Unavailable("hsm-unavailable", "Importen är klar, men OCSP-signeraren saknas. Kör kommandot igen.") from None


def _publish_list(what: ImportInput, ca: CertificateAuthority, actor_ref: str) -> None:
    """Publishes the newest CRL of a CA whose key is in another system, unless a newer one is published (ADR 0218)."""
    if ca.state != CaState.EXTERNAL:
        return
    found = [
        each
        for each in old_crls.read(contents(what.manifest), ca, Ledger()).newest
        if foreign_crls.is_whole(each.crl, ca.file_stem)
    ]
    if not found:
        return
    newest = max(found, key=lambda each: each.number)
    try:
        revoke_held = what.manifest.hold == "revoke"
        foreign_crls.publish(ca, newest.crl.public_bytes(Encoding.DER), revoke_held=revoke_held, actor_ref=actor_ref)
    except Conflict:
        return
    except OSError:
        raise Unavailable("status-folder", "Importen är klar, men spärrlistan är inte skriven. Kör kommandot igen.") from None


def _begun(what: ImportInput) -> CaImport | None:
    rows = CaImport.objects.select_related("ca").filter(ca__slug=what.manifest.slug, ca__generation=what.manifest.generation)
    found = rows.filter(inputs_sha256=what.inputs_sha256).first()
    if found is None and rows.exclude(state=ImportState.FINISHED).exists():
        raise Conflict("import-other", "En import av andra filer till utfärdaren är inte klar. Fortsätt med den först.")
    return found


def _begin(what: ImportInput, actor_ref: str) -> CaImport:
    """Uses the approval, and stores the CA and the import. The key is bound before, since a token has no transactions."""
    approved = _request_of(what, [ApprovalState.APPROVED])
    if approved is None:
        raise Conflict("approval-missing", "Importen är inte godkänd av en annan person. Begär den med --request.")
    ca = registering.known(what.manifest)
    entered = ca is None
    row = ca or registering.check(what.manifest)
    registering.bind_key(what.manifest, document_sha256=approved.document_sha256, actor_ref=actor_ref, record=True)
    with transaction.atomic(durable=True):
        dual_control.use(request_id=approved.id, action=ApprovalAction.IMPORT, document=approved.document, actor_ref=actor_ref)
        if entered:
            registering.enter(row)
        made = CaImport.objects.create(
            ca=row,
            approval_request=approved,
            inputs=what.inputs,
            inputs_sha256=what.inputs_sha256,
            actor_ref=actor_ref,
            started_at=clock.now(),
        )
        _tell(made, "import.started", actor_ref, {"approval": str(approved.id), "new_ca": entered})
    return made


def _finish(what: ImportInput, run: "_ImportRun", row: CaImport) -> reports.ImportReport:
    """Stores the report and allows the CA to publish, in the caller's transaction."""
    ca = CertificateAuthority.objects.select_for_update(no_key=True).get(id=row.ca_id)
    ca.last_crl_number = max(ca.last_crl_number, run.old_lists.highest)
    if ca.state == CaState.PLANNED:
        ca.state = CaState.STATUS_ONLY if ca.key_id else CaState.EXTERNAL
    ca.save(update_fields=["last_crl_number", "state"])
    report = reports.made(what.manifest, what.inputs, ca, run.ledger, run.old_lists, dry=False)
    row.state, row.report, row.counts, row.finished_at = ImportState.FINISHED, report.values, dict(run.ledger.counts), clock.now()
    row.save(update_fields=["state", "report", "counts", "finished_at"])
    facts = {"report_sha256": report.sha256, "state": ca.state, "last_crl_number": ca.last_crl_number}
    _tell(row, "import.finished", run.actor_ref, facts | {"counts": row.counts})
    jobs.enqueue("pki.sign_import_reports", queue="pki")
    jobs.enqueue("pki.renew_responders", queue="pki")
    jobs.enqueue("pki.publish_due_crls", queue="pki")
    return report


def _tell(row: CaImport, action: str, actor_ref: str, facts: dict[str, object]) -> None:
    Event.record(
        actor_ref=actor_ref,
        action=action,
        subject_type="certificate_authority",
        subject_ref=str(row.ca_id),
        facts={"import": str(row.id), "inputs_sha256": row.inputs_sha256} | facts,
    )


class _ImportRun:
    """One run over the folder. Without an import row it is a dry run, in one transaction that the caller rolls back."""

    def __init__(
        self, what: ImportInput, ca: CertificateAuthority, row: CaImport | None, actor_ref: str, workers: int, say: Say
    ) -> None:
        self.what, self.ca, self.row, self.actor_ref = what, ca, row, actor_ref
        self.workers, self.say = workers, say
        self.ledger = Ledger()
        if row is not None:
            self.ledger.resume(row)
        listed = not ca.key_id and next(contents(what.manifest), None) is not None
        self.addresses = addresses.Addresses(ca, self.ledger, row, listed=listed)
        self.old_lists = OldLists([], -1)
        self._draw: Draw = (lambda _count: 1) if row is None else (lambda count: draw_status_versions(ca.id, count))

    def certificates(self) -> None:
        """Imports the source's certificates, from the position where the last run stopped."""
        position = self.row.position if self.row else 0
        if position == 0:
            addresses.look_at_own(self.ca, self.ledger)
        records = self.what.manifest.source.records(position)
        expected = registering.expected_of(self.ca)
        for batch in checking.gathered(checking.checked(records, expected, self.workers), BATCH):
            position += len(batch)
            with transaction.atomic(durable=self.row is not None):
                self._batch(batch, position)
            self.say(self.ledger, position)
            faults.point("pki.import.after-batch")
        if self.row:
            self.row.state = ImportState.LISTS
            self.row.save(update_fields=["state"])

    def _batch(self, batch: list[checking.Checked], position: int) -> None:
        now = clock.now()
        self.ledger.counts["rows"] += len(batch)
        taken = [each for record, seen in batch if (each := self._take(record, seen, now)) is not None]
        storing.store(taken, self.ca, self.ledger, self._draw, lock=self.row is not None)
        self.ledger.store(self.row)
        if self.row is None:
            return
        self.row.position, self.row.counts, self.row.last_batch_at = position, dict(self.ledger.counts), now
        self.row.save(update_fields=["position", "counts", "last_batch_at"])
        if taken:
            serials = sha256_hex("\n".join(each.row.serial for each in taken).encode())
            facts: dict[str, object] = {"position": position, "count": len(taken), "serials_sha256": serials}
            _tell(self.row, "certificates.imported", self.actor_ref, facts)
        faults.point("pki.import.before-commit")

    def _take(self, record: SourceCertificate, seen: CheckedContent | str | None, now: dt.datetime) -> CheckedCertificate | None:
        try:
            if isinstance(seen, str) and record.fault is None:
                raise RowFault(seen)
            found = None if isinstance(seen, str) else seen
            if found is not None and found.not_after > now:
                self.addresses.look(record.place, found.serial, found.addresses)
            taken = storing.take(record, found, self.ca, now, revoke_held=self.what.manifest.hold == "revoke")
        except RowFault as fault:
            self.ledger.report(record.place, fault.kind, record.serial, fault.detail)
            return None
        if record.revoked_at != taken.row.revoked_at:
            self.ledger.report(record.place, "times", taken.row.serial, str(record.revoked_at))
        if record.reason not in (taken.row.reason, HOLD):
            self.ledger.report(record.place, "reason", taken.row.serial, record.reason)
        return taken

    def old(self) -> None:
        """Compares the old CRLs with the table, then executes the requests on paper, in the caller's transaction."""
        given = self.what.manifest
        self.old_lists = old_crls.read(contents(given), self.ca, self.ledger)
        old_crls.load(self.old_lists, self.ledger, revoke_held=given.hold == "revoke")
        if self.row is not None:
            old_crls.lock(self.ca, paper_revocations.serials_of(given.paper_file) if given.paper_file else [])
        if self.old_lists.newest:
            self._beside()
        if given.paper_file is not None:
            paper_revocations.revoke(given.paper_file, self.ca, self.ledger, actor_ref=self.actor_ref, dry=self.row is None)
        self.ledger.store(self.row)

    def _beside(self) -> None:
        since = self.old_lists.since
        if since is None:
            raise Invalid("import-lists", "Spärrlistorna saknar tid.")
        self._tell_all(old_crls.different(self.ca), "listed-differently")
        self._tell_all(old_crls.not_listed(self.ca, since), "not-listed")
        for found, kind in ((old_crls.not_revoked, "listed-not-revoked"), (old_crls.unknown, "listed-unknown")):
            for piece in found(self.ca):
                self._revoke(piece, kind)

    def _tell_all(self, pieces: Iterator[list[old_crls.CrlEntry]], kind: str) -> None:
        for piece in pieces:
            for serial, *_rest in piece:
                self.ledger.report("crl", kind, serial)
            self.ledger.store(self.row)

    def _revoke(self, piece: list[old_crls.CrlEntry], kind: str) -> None:
        """Revokes certificates that only a CRL shows as revoked, so that our CRL and OCSP show no less than before."""
        for serial, *_rest in piece:
            if kind == "listed-unknown" or self.what.manifest.tells_status:
                self.ledger.report("crl", kind, serial)
        taken = foreign_revocations.rows_of(piece, self.ca, clock.now())
        storing.store(taken, self.ca, self.ledger, self._draw, lock=self.row is not None)
        self.ledger.store(self.row)


def contents(given: Manifest) -> Iterator[tuple[str, bytes]]:
    """Yields the old CRLs in the folder and in its format, one at a time."""
    for path in given.list_files:
        yield f"crls/{path.name}", path.read_bytes()
    yield from given.source.lists()
