"""The human copy of an invoice: PDF/A-3a, tagged, Swedish, with the UBL attached. Made in a child process, judged by its file."""

import contextlib
import json
import os
import re
import selectors
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

import structlog
from django.conf import settings
from django.template.loader import render_to_string
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from billing.domain import identifiers, money
from billing.domain.invoices import Line, NumberedInvoice
from billing.ubl import F_TAX, payment_terms
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Unavailable

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/pdf"
ATTEMPTS = 3
SECONDS_PER_FILE = 120
FILES_PER_CHILD = 100


@dataclass(frozen=True)
class _Job:
    html: str
    xml: bytes
    number: str
    day: str

    def line(self, target: Path) -> bytes:
        job = {
            "html": self.html,
            "xml": self.xml.decode(),
            "number": self.number,
            "day": self.day,
            "identifier": sha256_hex(self.xml)[:32],
            "target": str(target),
        }
        return json.dumps(job).encode() + b"\n"


class PdfRenderer:
    """Makes PDF files one after the other in a child that is replaced when it dies, hangs or has made many. A context manager."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._made = 0
        self._folder = tempfile.TemporaryDirectory(prefix="siths-pdf-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()
        self._folder.cleanup()

    def render(self, invoice: NumberedInvoice, xml: bytes) -> bytes:
        """The PDF of `invoice` with `xml` attached; the same input gives the same bytes.

        Raises Unavailable if three children in a row left no sound file.
        """
        job = _Job(html(invoice), xml, invoice.number, invoice.issue_date.isoformat())
        target = Path(self._folder.name) / "invoice.pdf"
        for attempt in range(1, ATTEMPTS + 1):
            target.unlink(missing_ok=True)
            answered = self._ask(job, target)
            content = target.read_bytes() if target.exists() else b""
            fault = judge(content, xml)
            if fault is None:
                return content
            log.warning("billing.pdf_failed", attempt=attempt, answered=answered, fault=fault)
            self._end()
        raise Unavailable("pdf-failed", "PDF-kopian kunde inte göras. Fakturan är utfärdad; kör kommandot igen.")

    def _ask(self, job: _Job, target: Path) -> bool:
        if self._made >= FILES_PER_CHILD:
            self._end()
        child = self._child or self._start()
        self._made += 1
        jobs, answers = cast(IO[bytes], child.stdin), cast(IO[bytes], child.stdout)
        try:
            jobs.write(job.line(target))
            jobs.flush()
        except BrokenPipeError:
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(answers, selectors.EVENT_READ)
            return bool(selector.select(SECONDS_PER_FILE)) and answers.readline() == b"done\n"

    def _start(self) -> "subprocess.Popen[bytes]":
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._made = 0
        self._child = subprocess.Popen(
            [sys.executable, "-m", "billing.pdf_child"],
            cwd=settings.BASE_DIR,
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self._child

    def _end(self) -> None:
        if self._child:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                with contextlib.suppress(BrokenPipeError):
                    cast(IO[bytes], pipe).close()
        self._child = None


def judge(content: bytes, xml: bytes) -> str | None:
    """What is wrong with a PDF file: None if it is whole, tagged, has pages and carries exactly `xml`."""
    if not content.rstrip().endswith(b"%%EOF"):
        return "not whole"
    try:
        root = PdfFileReader(BytesIO(content)).root
        if not root["/MarkInfo"]["/Marked"] or "/StructTreeRoot" not in root:
            return "not tagged"
        if int(root["/Pages"]["/Count"]) < 1:
            return "no pages"
        attached = root["/AF"][0]["/EF"]["/F"].data
    except (PdfError, KeyError, IndexError, TypeError, ValueError) as error:
        return f"unreadable: {type(error).__name__}"
    return None if attached == xml else "another attachment"


def text(content: bytes) -> str:
    """The text of a PDF as poppler's pdftotext reads it, laid out; empty if it cannot read the file."""
    done = subprocess.run(
        ["pdftotext", "-layout", "-enc", "UTF-8", "-", "-"], input=content, capture_output=True, check=False, timeout=60
    )
    return done.stdout.decode() if done.returncode == 0 else ""


def payable_text(content: bytes) -> str:
    """The amount that a reader finds after "Att betala", with no-break spaces in it; empty if there is none."""
    found = re.search(r"Att betala\s+(-?[0-9 \u00a0]+,[0-9]{2}) kr", text(content).replace(money.NO_BREAK_SPACE, " "))
    return f"{found[1].replace(' ', money.NO_BREAK_SPACE)} kr" if found else ""


def html(invoice: NumberedInvoice) -> str:
    """The invoice as one HTML page that needs nothing else. Texts are escaped by the template, never interpreted."""
    return render_to_string("billing/invoice.html", context(invoice))


def context(invoice: NumberedInvoice) -> dict[str, Any]:
    """What the template prints, written the Swedish way with no-break spaces."""
    content = invoice.content
    seller, totals = content.seller, content.totals
    return {
        "number": invoice.number,
        "seller": seller,
        "seller_number": identifiers.organisation_number_printed(seller.organisation_number),
        "f_tax": F_TAX,
        "buyer": content.buyer,
        "buyer_number": identifiers.organisation_number_printed(content.buyer.organisation_number),
        "issue_date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        "period": f"{content.period_start.isoformat()} – {content.period_end.isoformat()}",
        "heading": content.note,
        "payment_terms": payment_terms(content.buyer.payment_terms_days),
        "bankgiro": identifiers.bankgiro_printed(seller.bankgiro),
        "payment_reference": invoice.payment_reference,
        "rows": [_row(line) for line in content.lines],
        "net": money.swedish(totals.net),
        "subtotals": [
            {
                "rate": money.swedish(each.rate, decimals=0),
                "base": money.swedish(each.base),
                "vat": money.swedish(each.vat),
            }
            for each in totals.subtotals
        ],
        "rounding": money.swedish(totals.rounding) if totals.rounding else "",
        "gross": money.swedish(totals.gross),
        "payable": money.swedish(totals.payable),
    }


def _row(line: Line) -> dict[str, str]:
    return {
        "article": line.article_code,
        "text": line.text,
        "quantity": money.swedish(line.quantity),
        "unit_price": money.swedish(line.unit_price),
        "vat_rate": money.swedish(line.vat_rate, decimals=0),
        "net": money.swedish(line.net),
    }
