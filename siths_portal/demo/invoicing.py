"""Last month's invoices in the demo: drafted by the scheduled job, approved on the page, delivered, and one line credited."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import requests
from django.conf import settings
from django.db.models import QuerySet

from billing.delivery.models import Delivery, DeliveryState
from billing.documents.domain.invoices import DocumentType
from billing.invoices.models import FileFormat, Invoice, InvoiceState
from billing.invoices.services import rendering
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun, RunState
from billing.runs.services import requests as month_requests
from billing.runs.services import schedule
from issuance.roles.services.actors import actor_of_person
from siths_portal.demo import ordering
from siths_portal.demo.artefacts import Artefacts
from siths_portal.demo.clerk import Clerk
from siths_portal.lib.processes import jobs

SECONDS = 120
"""How long a step waits for the worker: two rounds of its slowest sweeper."""
REASON = "Kortet gick inte att använda."


class InvoicingFault(RuntimeError):
    """A step did not have the expected result."""


@dataclass
class MonthOfInvoices:
    """The steps from a month that is over to its delivered invoices and a credit note. Each can be repeated."""

    artefacts: Artefacts
    month: Month

    def draft(self) -> None:
        """Lets the scheduled job draft the month. If the month is not due, a finance person opens it, as on the page of runs.

        The beat process wakes the job each five minutes; waking it here only saves that wait.
        """
        if not self._runs().exists() and self.month not in schedule.due_months():
            first = ordering.finance_people()[0]
            month_requests.open_month(actor=actor_of_person(first.person_id), month=self.month)
        drafted = self._runs().exclude(state=RunState.OPEN)
        self._await(drafted.exists, "the month is not drafted", wake=lambda: jobs.enqueue("billing.open_month"))

    def approve(self) -> None:
        """One finance person releases the drafts on the month's page, and another approves them. Does nothing without drafts."""
        if self._runs().get().state == RunState.ISSUED:
            return
        for number, button in enumerate(("Släpp", "Godkänn")):
            clerk = _finance(number)
            clerk.approve_month(self.month.code(), button)
            clerk.log_out()

    def issue(self) -> None:
        """Waits until the tasks have numbered and rendered the month's invoices, and keeps the largest one's files."""
        unrendered = rendering.unrendered().filter(period=self.month.first_day)
        self._await(
            lambda: self._issued().exists() and not unrendered.exists(), "the month's invoices are not issued with their files"
        )
        invoice = self._largest()
        self.artefacts.summary |= {
            "invoice_number": invoice.number,
            "invoice_total": f"{invoice.gross:.2f}",
            "invoice_payable": f"{invoice.payable:.2f}",
            "invoice_ubl": self._put(invoice, FileFormat.PEPPOL, "xml"),
            "invoice_pdf": self._put(invoice, FileFormat.PDF, "pdf"),
        }

    def deliver(self) -> None:
        """Waits until the access point has delivered the invoice, and keeps its receipt."""
        self.artefacts.summary["delivery_receipt"] = self._receipt(self._largest())

    def credit(self) -> None:
        """One finance person asks to credit a piece of the invoice's first line, another approves; the note is delivered too."""
        invoice = self._largest()
        if not invoice.credit_notes.exists():
            self._credit_on_the_page(str(invoice.number))
        note = invoice.credit_notes.get()
        files = note.files.filter(file_format=FileFormat.PDF)
        self._await(files.exists, "the credit note has no files", wake=lambda: jobs.enqueue("billing.render_credit_notes"))
        self.artefacts.summary |= {
            "credit_number": note.number,
            "credit_ubl": self._put(note, FileFormat.PEPPOL, "xml"),
            "credit_pdf": self._put(note, FileFormat.PDF, "pdf"),
        }
        self._receipt(note)

    def _credit_on_the_page(self, number: str) -> None:
        first = _finance(0)
        first.request_credit(number, REASON)
        first.log_out()
        second = _finance(1)
        second.approve_credit(number)
        second.log_out()

    def _receipt(self, document: Invoice) -> str:
        """Returns the file with what the access point answers about the delivered document. Raises InvoicingFault."""
        delivered = Delivery.objects.filter(invoice=document, state=DeliveryState.DELIVERED)
        self._await(delivered.exists, f"{document.number} is not delivered", wake=lambda: jobs.enqueue("billing.deliver"))
        address = f"{settings.ACCESS_POINT_URL}/outbound/v1/documents/{delivered.get().message_id}"
        answer = requests.get(address, timeout=10)
        digest = hashlib.sha256(rendering.stored(document, FileFormat.PEPPOL)).hexdigest()
        told = json.loads(answer.content) if answer.status_code == requests.codes.ok else {}
        if (told.get("status"), told.get("sha256")) != ("delivered", digest):
            raise InvoicingFault(f"the access point does not say that it delivered the bytes of {document.number}")
        return self.artefacts.put(f"delivery/{document.number}.json", answer.content)

    def _runs(self) -> QuerySet[InvoiceRun]:
        return InvoiceRun.objects.filter(period=self.month.first_day)

    def _issued(self) -> QuerySet[Invoice]:
        invoices = Invoice.objects.filter(period=self.month.first_day, state=InvoiceState.ISSUED)
        return invoices.filter(document_type=DocumentType.INVOICE.value)

    def _largest(self) -> Invoice:
        return self._issued().order_by("-payable", "number")[0]

    def _put(self, document: Invoice, file_format: FileFormat, ending: str) -> str:
        return self.artefacts.put(f"invoice/{document.number}.{ending}", rendering.stored(document, file_format))

    def _await(self, done: Callable[[], bool], fault: str, *, wake: Callable[[], object] | None = None) -> None:
        """Waits until the worker has done it, and calls `wake`, which wakes its task, now and then.

        Raises InvoicingFault after SECONDS.
        """
        until, woken = time.monotonic() + SECONDS, 0.0
        while not done():
            if wake and time.monotonic() > woken + 5:
                wake()
                woken = time.monotonic()
            if time.monotonic() > until:
                raise InvoicingFault(fault)
            time.sleep(0.5)


def _finance(number: int) -> Clerk:
    """Returns a browser in which the finance person with this number is logged in."""
    person = ordering.finance_people()[number]
    clerk = Clerk()
    clerk.log_in(person.name, person.hsa_id)
    return clerk
