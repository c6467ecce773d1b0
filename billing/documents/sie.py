"""Export of invoices as a SIE 4I file (`.si`, for import into bookkeeping): one balanced voucher each, in code page 437."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.documents.domain.invoices import NumberedInvoice
from billing.ledger.domain import line_kinds

RECEIVABLES, OUTPUT_VAT, ROUNDING = "1510", "2611", "3740"
ACCOUNTS = {
    RECEIVABLES: "Kundfordringar",
    OUTPUT_VAT: "Utgående moms",
    ROUNDING: "Öres- och kronutjämning",
}
_INCOME = "3"
"""Income accounts of the chart of accounts (BAS) begin with this digit."""
_COST_CENTRE = 1
"""The dimension that SIE reserves for cost centres (kostnadsställe)."""
_NOT_IN_PC8 = str.maketrans({"§": "par.", "–": "-", "—": "-", "’": "'", "”": '"', "“": '"', "€": "EUR", "ø": "ö", "Ø": "Ö"})


@dataclass(frozen=True)
class Voucher:
    """The voucher of one invoice. `amounts` are pairs of account and amount, debit positive, credit negative; they sum to 0.

    `cost_centre` is that of the customer, or empty. The entries on income accounts have it.
    """

    number: str
    day: dt.date
    text: str
    amounts: tuple[tuple[str, Decimal], ...]
    cost_centre: str = ""

    def objects(self, account: str) -> str:
        """Returns the list of objects of an entry on `account`: the cost centre for income, else nothing."""
        return f"{{{_COST_CENTRE} {_quoted(self.cost_centre)}}}" if self.cost_centre and account.startswith(_INCOME) else "{}"


def voucher(invoice: NumberedInvoice, cost_centre: str = "") -> Voucher:
    """Returns the voucher of an invoice: receivable against sales, output VAT and rounding. Leaves out accounts with amount 0.

    A credit note has the opposite signs, and names the invoice that it credits.
    """
    content, totals = invoice.content, invoice.content.totals
    sales = {kind.sales_account.number: Decimal(0) for kind in line_kinds.declared()}
    for line in content.lines:
        sales[line.declaration.sales_account.number] -= line.net
    amounts = (
        (RECEIVABLES, totals.payable),
        *sales.items(),
        (OUTPUT_VAT, -totals.vat),
        (ROUNDING, -totals.rounding),
    )
    text = f"Faktura {invoice.number} {content.buyer.name}"
    if content.preceding:
        text = f"Kreditfaktura {invoice.number} avser faktura {content.preceding.number} {content.buyer.name}"
    booked = tuple((account, content.document_type.sign * amount) for account, amount in amounts if amount)
    return Voucher(invoice.number, invoice.issue_date, text, booked, cost_centre)


def build(vouchers: Sequence[Voucher], *, company: str, organisation_number: str, version: str, made_on: dt.date) -> bytes:
    """Returns the file. Raises ValueError if a voucher does not sum to 0, since a bookkeeping system might accept it."""
    accounts = ACCOUNTS | {kind.sales_account.number: kind.sales_account.name for kind in line_kinds.declared()}
    lines = [
        "#FLAGGA 0",
        f"#PROGRAM {_quoted('SITHS eID Portal')} {_quoted(version)}",
        "#FORMAT PC8",
        f"#GEN {made_on:%Y%m%d}",
        "#SIETYP 4",
        f"#ORGNR {organisation_number[:6]}-{organisation_number[6:]}",
        f"#FNAMN {_quoted(company)}",
        *(f"#KONTO {account} {_quoted(name)}" for account, name in sorted(accounts.items())),
    ]
    if centres := sorted({each.cost_centre for each in vouchers if each.cost_centre}):
        lines.append(f"#DIM {_COST_CENTRE} {_quoted('Kostnadsställe')}")
        lines += [f"#OBJEKT {_COST_CENTRE} {_quoted(centre)} {_quoted(centre)}" for centre in centres]
    for each in vouchers:
        if sum(amount for _, amount in each.amounts) != 0:
            raise ValueError(f"voucher {each.number} does not sum to 0")
        series, _, number = each.number.partition("-")
        lines += [f"#VER {_quoted('F' + series)} {int(number)} {each.day:%Y%m%d} {_quoted(each.text)}", "{"]
        lines += [f"   #TRANS {account} {each.objects(account)} {format(amount, '.2f')}" for account, amount in each.amounts]
        lines.append("}")
    return "".join(f"{line}\r\n" for line in lines).encode("cp437", errors="replace")


def _quoted(text: str) -> str:
    plain = text.translate(_NOT_IN_PC8).replace("\\", "/").replace('"', '\\"')
    return f'"{plain}"'
