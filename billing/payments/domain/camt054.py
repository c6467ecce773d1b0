"""Reads camt.054, the bank's credit notification (ISO 20022), versions 02 and later.

The file comes from outside: DTDs and entities are refused, and size and number of payments are bounded. Of a payment only what
matching needs is kept: payment references and invoice numbers of free text, and the payer's name if the bank says that it is
an organisation's.
"""

import datetime as dt
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from billing.records.domain import identifiers, money
from siths_portal.lib.errors import Invalid

MAX_BYTES = 5 * 1024 * 1024
MAX_PAYMENTS = 5000
_MOST = money.swedish(Decimal(MAX_PAYMENTS), decimals=0)
_ROOT = re.compile(r"\{urn:iso:std:iso:20022:tech:xsd:camt\.054\.001\.(?:0[2-9]|1[0-9])\}Document")
_AMOUNT = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,5})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WORDS = re.compile(r"[0-9]+(?:-[0-9]+)*")
_INVOICE_NUMBER = re.compile(r"[0-9]{4}-[0-9]{6}")
_LONGEST_NAME, _LONGEST_KEY, _LONGEST_REFERENCE = 140, 80, 140
_BOOKED, _CREDIT = "BOOK", "CRDT"


@dataclass(frozen=True)
class BankPayment:
    """A payment, or the part of one that the payer gave a reference of its own.

    `account`, `entry_reference` and `part` identify it: our account, the bank's reference of the entry, and the place in it.
    `references` are the payment references and invoice numbers that the payer gave.
    """

    account: str
    entry_reference: str
    part: int
    booked_on: dt.date
    amount: Decimal
    references: tuple[str, ...]
    payer: str

    @property
    def key(self) -> tuple[str, str, int]:
        """What identifies the payment."""
        return (self.account, self.entry_reference, self.part)


@dataclass(frozen=True)
class Notification:
    """The payments of a file. `skipped` counts its entries that are no booked credits: withdrawals, reversals, pending ones."""

    payments: tuple[BankPayment, ...]
    skipped: int


def read(content: bytes, accounts: Collection[str]) -> Notification:
    """Returns the payments to one of our `accounts`, bankgiro or IBAN. Raises Invalid at `file` if any part cannot be read."""
    root = _parsed(content)
    found = _Reading(root.tag[: root.tag.index("}") + 1], accounts)
    found.take(root)
    keys = [payment.key for payment in found.payments]
    if len(set(keys)) < len(keys):
        _refuse("entry-twice", "Två poster i filen har samma referens hos banken. Fråga banken. Inget har lästs in.")
    return Notification(tuple(found.payments), found.skipped)


def _parsed(content: bytes) -> Element:
    if len(content) > MAX_BYTES:
        _refuse("file-too-large", f"Filen är för stor. Den får vara högst {MAX_BYTES // 1024 // 1024} MB.")
    try:
        root: Element = fromstring(content, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except DefusedXmlException:
        _refuse("file-has-dtd", "Filen har en DTD eller entiteter, som portalen inte läser. Be banken om en fil utan dem.")
    except (ParseError, ValueError, LookupError):
        _refuse("file-unreadable", "Filen är inte XML. Välj bankens fil camt.054.")
    if not _ROOT.fullmatch(root.tag):
        _refuse("file-not-camt054", "Filen är inte camt.054. Välj bankens fil med inbetalningar (camt.054.001.02 eller senare).")
    return root


def _refuse(code: str, message: str) -> NoReturn:
    raise Invalid(code, message, fields={"file": [message]})


class _Reading:
    """The payments that were read so far, and how to find elements in the file's namespace."""

    def __init__(self, namespace: str, accounts: Collection[str]) -> None:
        self.namespace = namespace
        self.accounts = accounts
        self.payments: list[BankPayment] = []
        self.skipped = 0

    def take(self, root: Element) -> None:
        """Reads all notifications of the document."""
        notifications = list(self._every(root, "BkToCstmrDbtCdtNtfctn/Ntfctn"))
        if not notifications:
            _refuse("file-empty", "Filen innehåller inget besked om inbetalningar.")
        for notification in notifications:
            account = self._account(notification, "Acct/Id")
            for entry in self._every(notification, "Ntry"):
                if self._status(entry) != _BOOKED or self._text(entry, "CdtDbtInd") != _CREDIT or self._reversal(entry):
                    self.skipped += 1
                else:
                    self._entry(notification, entry, account)

    def _entry(self, notification: Element, entry: Element, account: str) -> None:
        reference = self._text(entry, "AcctSvcrRef")
        if not reference and (own := self._text(entry, "NtryRef")):
            reference = f"{self._text(notification, 'Id')}/{own}"
        if not 0 < len(reference) <= _LONGEST_KEY:
            _refuse("entry-without-reference", "En post i filen saknar bankens referens. Inget har lästs in.")
        total = self._amount(entry, "Amt", reference)
        booked_on = self._day(entry, reference)
        transactions = list(self._every(entry, "NtryDtls/TxDtls"))
        parts = [part for each in transactions or [entry] for part in self._transaction(each, account, reference)]
        if len(parts) == 1 and parts[0].amount is None:
            parts = [_Part(total, parts[0].references, parts[0].payer)]
        amounts = [part.amount for part in parts if part.amount is not None]
        if len(amounts) != len(parts) or sum(amounts) != total:
            _refuse("entry-does-not-add-up", f"Betalningarna i posten {reference} är inte lika med postens belopp.")
        for number, (part, amount) in enumerate(zip(parts, amounts, strict=True), 1):
            self.payments.append(
                BankPayment(account, reference, number, booked_on, amount, part.references, part.payer)
            )  # fmt: skip
        if len(self.payments) > MAX_PAYMENTS:
            _refuse("too-many-payments", f"Filen har fler än {_MOST} betalningar. Be banken dela upp den.")

    def _transaction(self, details: Element, account: str, reference: str) -> "Iterator[_Part]":
        """Yields the transaction, or a part for each reference if the payer says how much is for each and the sum is right."""
        receiver = self._account(details, "RltdPties/CdtrAcct/Id")
        if account not in self.accounts and receiver not in self.accounts:
            _refuse(
                "other-account",
                f"Posten {reference} gäller ett annat konto än fakturornas. Välj filen för deras bankgiro eller IBAN.",
            )
        payer = self._payer(details)
        amount = self._optional_amount(details, reference)
        remittances = [each for each in self._every(details, "RmtInf/Strd") if self._structured(each)]
        if len(remittances) > 1 and amount is not None:
            shares = [self._share(each, reference) for each in remittances]
            if None not in shares and sum(share for share in shares if share is not None) == amount:
                for remittance, share in zip(remittances, shares, strict=True):
                    yield _Part(share, (self._structured(remittance),), payer)
                return
        given = [self._structured(each) for each in remittances]
        free = [each.text or "" for each in self._every(details, "RmtInf/Ustrd")]
        yield _Part(amount, _within(given or [word for text in free for word in _references(text)]), payer)

    def _payer(self, details: Element) -> str:
        """Returns the payer's name if the bank identifies the payer as an organisation."""
        for path in ("RltdPties/Dbtr", "RltdPties/Dbtr/Pty"):
            if self._find(details, f"{path}/Id/OrgId") is not None:
                return self._text(details, f"{path}/Nm")[:_LONGEST_NAME]
        return ""

    def _structured(self, remittance: Element) -> str:
        return re.sub(r"[^0-9A-Za-z]", "", self._text(remittance, "CdtrRefInf/Ref"))[:35]

    def _share(self, remittance: Element, reference: str) -> Decimal | None:
        found = self._find(remittance, "RfrdDocAmt/RmtdAmt")
        return None if found is None else _kronor(found, reference)

    def _optional_amount(self, details: Element, reference: str) -> Decimal | None:
        for path in ("Amt", "AmtDtls/TxAmt/Amt"):
            if (found := self._find(details, path)) is not None:
                return _kronor(found, reference)
        return None

    def _amount(self, element: Element, path: str, reference: str) -> Decimal:
        found = self._find(element, path)
        if found is None:
            _refuse("amount-missing", f"Posten {reference} saknar belopp.")
        return _kronor(found, reference)

    def _day(self, entry: Element, reference: str) -> dt.date:
        for path in ("BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm"):
            text = self._text(entry, path)[:10]
            if _DAY.fullmatch(text):
                try:
                    return dt.date.fromisoformat(text)
                except ValueError:
                    break
        _refuse("day-missing", f"Posten {reference} saknar bokföringsdag.")

    def _account(self, element: Element, path: str) -> str:
        return (self._text(element, f"{path}/IBAN") or re.sub(r"[\s-]", "", self._text(element, f"{path}/Othr/Id")))[:34]

    def _status(self, entry: Element) -> str:
        return self._text(entry, "Sts/Cd") or self._text(entry, "Sts")

    def _reversal(self, entry: Element) -> bool:
        return self._text(entry, "RvslInd") in ("true", "1")

    def _text(self, element: Element, path: str) -> str:
        found = self._find(element, path)
        return (found.text or "").strip() if found is not None else ""

    def _find(self, element: Element, path: str) -> Element | None:
        return element.find(self._path(path))

    def _every(self, element: Element, path: str) -> Iterator[Element]:
        return element.iterfind(self._path(path))

    def _path(self, path: str) -> str:
        return "/".join(f"{self.namespace}{name}" for name in path.split("/"))


@dataclass(frozen=True)
class _Part:
    """A payment of an entry; `amount` is None if only the entry states it."""

    amount: Decimal | None
    references: tuple[str, ...]
    payer: str


def _references(text: str) -> Iterator[str]:
    """Yields the payment references and invoice numbers in free text; everything else could be about a person."""
    for word in _WORDS.findall(text):
        if _INVOICE_NUMBER.fullmatch(word) or identifiers.ocr_valid(word):
            yield word


def _within(references: Collection[str]) -> tuple[str, ...]:
    """Returns the references without repetition, as many as are stored."""
    kept: list[str] = []
    for each in references:
        if each not in kept and len(" ".join([*kept, each])) <= _LONGEST_REFERENCE:
            kept.append(each)
    return tuple(kept)


def _kronor(amount: Element, reference: str) -> Decimal:
    text = (amount.text or "").strip()
    if amount.get("Ccy") != "SEK":
        _refuse("other-currency", f"Posten {reference} är inte i svenska kronor.")
    value = Decimal(text) if _AMOUNT.fullmatch(text) else Decimal(0)
    if value <= 0 or value != round(value, 2):
        _refuse("amount-wrong", f"Posten {reference} har ett belopp som inte går att läsa.")
    return round(value, 2)
