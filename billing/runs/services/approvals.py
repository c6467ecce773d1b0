"""Two people let a run's invoices get numbers: one releases the drafts that they reviewed, another approves the same drafts."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from billing.documents.domain.invoices import DocumentType
from billing.invoices.models import Invoice, InvoiceState
from billing.records.models import Event
from billing.runs.models import InvoiceRun, ItemState, RunApproval, RunItem, RunState
from issuance import service as issuance
from issuance.authz import Action, Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, NotFound
from siths_portal.lib.processes import jobs

ACTION = Action.MANAGE_BILLING


@dataclass(frozen=True)
class Reviewed:
    """What two people approve: number and net sum of the drafts, number of blocked customers, and the hash over all of them."""

    sha256: str
    invoices: int
    net: Decimal
    blocked: int


def drafts_of(run: InvoiceRun) -> QuerySet[Invoice]:
    """Returns the drafts of the run's invoices. Credit notes are not part of a run."""
    return Invoice.objects.filter(run=run, state=InvoiceState.DRAFT, document_type=DocumentType.INVOICE.value)


def reviewed(run: InvoiceRun) -> Reviewed:
    """Returns what there is to approve now. Its hash changes if a draft is made again or the blocked customers change."""
    drafts = list(drafts_of(run).order_by("pk").values_list("pk", "content_sha256", "net"))
    blocked = list(run.items.filter(state=ItemState.BLOCKED).order_by("party_id").values_list("party_id", "reasons"))
    covered = {
        "run": str(run.pk),
        "drafts": [[str(pk), content] for pk, content, _net in drafts],
        "blocked": [[str(party_id), reasons] for party_id, reasons in blocked],
    }
    net = sum((net for _pk, _content, net in drafts), Decimal("0.00"))
    return Reviewed(sha256_hex(canonical_json(covered)), len(drafts), net, len(blocked))


def standing(run: InvoiceRun, now: Reviewed) -> RunApproval | None:
    """Returns the release, approved or not, of exactly what there is to approve now."""
    return RunApproval.objects.filter(run=run, sha256=now.sha256).first() if now.invoices else None


def release(*, actor: Actor, run_id: UUID, seen: str) -> RunApproval:
    """Releases the drafts of the run that the actor saw; `seen` is their hash. Another person must approve them.

    Raises Forbidden; NotFound; Conflict if drafts are being made, changed since they were seen, or are released already.
    """
    policy.require_global(actor, ACTION)
    with transaction.atomic(durable=True):
        run = locked(run_id)
        now = _require_seen(run, seen)
        if standing(run, now):
            raise Conflict("run-released", "Någon annan har redan släppt fakturorna. Ladda om sidan.")
        approval = RunApproval.objects.create(
            run=run,
            sha256=now.sha256,
            invoices=now.invoices,
            net=now.net,
            blocked=now.blocked,
            released_by=actor.ref,
            released_at=clock.now(),
        )
        _enter(run, RunState.RELEASED, actor, approval)
    return approval


def approve(*, actor: Actor, run_id: UUID, seen: str) -> RunApproval:
    """Approves the drafts that another person released, and wakes the task that gives them numbers.

    Raises NotFound; Conflict as `release` does, and if the drafts are not released or approved already; Forbidden if the actor
    released them, or got the right after that.
    """
    policy.require_global(actor, ACTION)
    with transaction.atomic(durable=True):
        run = locked(run_id)
        approval = standing(run, _require_seen(run, seen))
        if approval is None:
            raise Conflict("run-not-released", "Fakturorna är inte släppta än. Ladda om sidan.")
        if approval.approved_at:
            raise Conflict("run-approved", "Fakturorna är redan godkända. Ladda om sidan.")
        issuance.require_second(actor, ACTION, requested_by=approval.released_by, requested_at=approval.released_at)
        approval.approved_by, approval.approved_at = actor.ref, clock.now()
        approval.save(update_fields=["approved_by", "approved_at"])
        _enter(run, RunState.APPROVED, actor, approval)
        jobs.enqueue("billing.issue", run_id=str(run.pk))
    return approval


def locked(run_id: UUID) -> InvoiceRun:
    """Locks and returns the run: nothing becomes pending until the caller commits. Raises NotFound.

    All transactions take locks in this order, so that none waits for another in a circle: the runs by month, the ledger
    (`ledger.writing`), the items by party, the drafts, the counter of the series.
    """
    run = InvoiceRun.objects.select_for_update(no_key=True).filter(pk=run_id).first()
    if run is None:
        raise NotFound("no-run", "Körningen finns inte. Ladda om sidan.")
    return run


def _require_seen(run: InvoiceRun, seen: str) -> Reviewed:
    if RunItem.objects.filter(run=run, state=ItemState.PENDING).exists():
        raise Conflict("run-drafting", "Utkasten görs just nu. Vänta tills de är klara och granska dem.")
    now = reviewed(run)
    if not now.invoices:
        raise Conflict("nothing-drafted", "Det finns inga utkast att godkänna. Ladda om sidan.")
    if now.sha256 != seen:
        raise Conflict("drafts-changed", "Utkasten har ändrats sedan du såg dem. Ladda om sidan och granska dem igen.")
    return now


def _enter(run: InvoiceRun, state: RunState, actor: Actor, approval: RunApproval) -> None:
    run.state = state
    run.save(update_fields=["state"])
    facts = {
        "approval": str(approval.pk),
        "sha256": approval.sha256,
        "invoices": approval.invoices,
        "net": str(approval.net),
        "blocked": approval.blocked,
    }
    Event.record(actor_ref=actor.ref, action=f"run.{state.value}", subject_type="run", subject_ref=str(run.pk), facts=facts)
