"""Payments in from the bank's file: the file is read and kept, the user checks what becomes of it, and it is booked whole or not.

Booking takes one lock, so two files cannot pay the same remaining amount. A payment is booked once, so the same file again books
nothing.
"""

import datetime as dt
from dataclasses import asdict
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.documents import seller
from billing.payments.domain import camt054
from billing.payments.domain.camt054 import BankPayment
from billing.payments.models import Payment, PaymentAllocation, PaymentFile
from billing.payments.services import matching
from billing.payments.services.matching import Plan
from billing.records.models import Event
from issuance.authz import Action, Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.database import locks
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.imports.importer import KEPT_AT_ONCE

ACTION = Action.MANAGE_BILLING
COMMAND = "system:billing_payments"
LOCK = "billing.payments"
KEPT_FOR = dt.timedelta(hours=24)


def keep(*, actor: Actor, content: bytes) -> PaymentFile:
    """Reads a file and keeps its payments for the actor. Books nothing. Raises Forbidden, and Invalid at `file`."""
    policy.require_global(actor, ACTION)
    read = _read(content)
    with transaction.atomic(durable=True):
        waiting = PaymentFile.objects.filter(owner_ref=actor.ref, booked_at=None).order_by("-created_at", "-pk")
        PaymentFile.objects.filter(pk__in=list(waiting.values_list("pk", flat=True)[KEPT_AT_ONCE - 1 :])).delete()
        kept = _store(actor.ref, content, read)
        _record(actor.ref, "read", kept, {"payments": len(read.payments), "skipped": read.skipped})
        return kept


def own(*, actor: Actor, file_id: UUID, lock: bool = False) -> PaymentFile:
    """Returns the actor's file, booked or not expired. Raises Forbidden, and NotFound for any other."""
    policy.require_global(actor, ACTION)
    rows = PaymentFile.objects.select_for_update() if lock else PaymentFile.objects.all()
    found = rows.filter(pk=file_id, owner_ref=actor.ref).first()
    if found is None or (found.booked_at is None and found.expires_at <= clock.now()):
        raise policy.not_found()
    return found


def planned(file: PaymentFile) -> Plan:
    """Returns what becomes of a kept file's payments as things stand now. Raises Invalid."""
    return matching.plan([_of_json(row) for row in file.rows])


@transaction.atomic(durable=True)
def book(*, actor: Actor, file_id: UUID, sha256: str) -> PaymentFile:
    """Books what the preview with this hash showed. A file that is booked stays as it is.

    Raises NotFound, Forbidden, Invalid, and Conflict if something else would be booked than the preview showed.
    """
    locks.lock_until_commit(LOCK)
    file = own(actor=actor, file_id=file_id, lock=True)
    if file.booked_at is not None:
        return file
    plan = planned(file)
    if plan.sha256 != sha256:
        message = "Fakturor eller betalningar har ändrats sedan förhandsgranskningen. Granska betalningarna igen."
        raise Conflict("changed-meanwhile", message)
    if not plan.new:
        raise Invalid("nothing-to-do", "Alla betalningar i filen är redan inlästa.")
    _book(file, plan, actor.ref)
    return file


@transaction.atomic(durable=True)
def give_up(*, actor: Actor, file_id: UUID) -> None:
    """Deletes a file that is not booked. Raises NotFound, Forbidden."""
    file = own(actor=actor, file_id=file_id, lock=True)
    if file.booked_at is None:
        file.delete()


def book_at_once(content: bytes, *, dry_run: bool = False) -> Plan:
    """Reads and books a file without preview, for the command; with `dry_run` it books nothing. Raises Invalid.

    A file without new payments leaves no row.
    """
    read = _read(content)
    with transaction.atomic(durable=True):
        locks.lock_until_commit(LOCK)
        plan = matching.plan(read.payments)
        if plan.new and not dry_run:
            _book(_store(COMMAND, content, read), plan, COMMAND)
        return plan


def delete_expired() -> int:
    """Deletes files that were not booked in time. Returns how many."""
    return PaymentFile.objects.filter(booked_at=None, expires_at__lte=clock.now()).delete()[0]


def _read(content: bytes) -> camt054.Notification:
    ours = seller.configured()
    return camt054.read(content, {ours.bankgiro, ours.iban} - {""})


def _store(owner_ref: str, content: bytes, read: camt054.Notification) -> PaymentFile:
    now = clock.now()
    return PaymentFile.objects.create(
        owner_ref=owner_ref,
        sha256=sha256_hex(content),
        rows=[_json(payment) for payment in read.payments],
        skipped=read.skipped,
        created_at=now,
        expires_at=now + KEPT_FOR,
    )


def _book(file: PaymentFile, plan: Plan, actor_ref: str) -> None:
    now = clock.now()
    payments, allocations = [], []
    for row in plan.new:
        bank = row.payment
        payment = Payment(
            file=file,
            account=bank.account,
            entry_reference=bank.entry_reference,
            part=bank.part,
            booked_on=bank.booked_on,
            amount=bank.amount,
            references=" ".join(bank.references),
            payer=bank.payer,
            received_at=now,
        )
        payments.append(payment)
        if row.pays:
            allocations.append(
                PaymentAllocation(
                    payment=payment, invoice_id=row.invoice_id, amount=row.pays, made_by=actor_ref, made_at=now
                )
            )  # fmt: skip
    Payment.objects.bulk_create(payments, batch_size=1000)
    PaymentAllocation.objects.bulk_create(allocations, batch_size=1000)
    file.rows, file.booked_at, file.payments, file.total = [], now, len(payments), plan.total
    file.save(update_fields=["rows", "booked_at", "payments", "total"])
    facts = {"payments": len(payments), "total": str(plan.total), "allocated": str(plan.allocated), "skipped": file.skipped}
    _record(actor_ref, "booked", file, facts)


def _record(actor_ref: str, action: str, file: PaymentFile, facts: dict[str, Any]) -> None:
    Event.record(
        actor_ref=actor_ref,
        action=f"payment_file.{action}",
        subject_type="payment_file",
        subject_ref=str(file.pk),
        facts={"sha256": file.sha256, **facts},
    )


def _json(payment: BankPayment) -> dict[str, Any]:
    return asdict(payment) | {"booked_on": payment.booked_on.isoformat(), "amount": str(payment.amount)}


def _of_json(row: dict[str, Any]) -> BankPayment:
    changed = {
        "booked_on": dt.date.fromisoformat(row["booked_on"]),
        "amount": Decimal(row["amount"]),
        "references": tuple(row["references"]),
    }
    return BankPayment(**(row | changed))
