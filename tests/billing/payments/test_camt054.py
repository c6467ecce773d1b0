"""The bank's file is read as it is meant, or refused whole."""

from decimal import Decimal

import pytest

from billing.payments.domain import camt054
from siths_portal.lib.errors import Invalid
from tests.billing.payments.camt import BANKGIRO, Paid, entry, file

OCR, OTHER = "202300000124", "202300000223"
PERSON = "19900101-0017"


def read(content: bytes) -> camt054.Notification:
    return camt054.read(content, {BANKGIRO, "SE3999900000000012345678"})


@pytest.mark.parametrize("version", ["02", "08"])
def test_payments_of_both_forms_are_read(version: str) -> None:
    anna = Paid("50.5", payer="Anna Ek", organisation=False, text=f"{PERSON} {OTHER}")
    found = read(
        file(
            entry("A1", Paid("100.00", [OCR]), anna, version=version),
            entry("A2", Paid("30.00", [(OCR, "10.00"), (OTHER, "20.00")]), version=version),
            entry("A3", Paid("7.00", [(OCR, "1.00"), (OTHER, "2.00")]), version=version),
            entry("A4", Paid("1.00"), version=version, indicator="DBIT"),
            entry("A5", Paid("1.00"), version=version, status="PDNG"),
            entry("A6", Paid("1.00"), version=version, more="<RvslInd>true</RvslInd>"),
            version=version,
        )
    )  # fmt: skip
    assert [(each.entry_reference, each.part, str(each.amount), each.references, each.payer) for each in found.payments] == [
        ("A1", 1, "100.00", (OCR,), "Region Norr"),
        ("A1", 2, "50.50", (OTHER,), ""),  # neither the person nor her number is kept
        ("A2", 1, "10.00", (OCR,), "Region Norr"),
        ("A2", 2, "20.00", (OTHER,), "Region Norr"),
        ("A3", 1, "7.00", (OCR, OTHER), "Region Norr"),  # the shares are not the sum
    ]
    assert found.skipped == 3
    assert {each.booked_on.isoformat() for each in found.payments} == {"2023-05-20"}


def test_an_entry_without_details_is_one_payment() -> None:
    (only,) = read(file(entry("A1", total="12.00"))).payments
    assert (only.amount, only.references) == (Decimal("12.00"), ())


GOOD = entry("A1", Paid("100.00", [OCR]))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (file(GOOD, before='<!DOCTYPE Document [<!ENTITY a "b">]>'), "file-has-dtd"),
        (file(GOOD, before='<!DOCTYPE Document SYSTEM "http://192.0.2.1/x.dtd">'), "file-has-dtd"),
        (b"", "file-unreadable"),
        (b"%PDF-1.7", "file-unreadable"),
        (b"<?xml version='1.0' encoding='none'?><a/>", "file-unreadable"),
        (b"<html/>", "file-not-camt054"),
        (b" " * (camt054.MAX_BYTES + 1), "file-too-large"),
        (file(GOOD, account="50501055"), "other-account"),
        (file(entry("", Paid("1.00"))), "entry-without-reference"),
        (file(entry("A1", Paid("1.00"), total="2.00")), "entry-does-not-add-up"),
        (file(GOOD, GOOD), "entry-twice"),
        (file(GOOD.replace('"SEK"', '"EUR"')), "other-currency"),
        (file(GOOD.replace("100.0", "NaN")), "amount-wrong"),
        (file(GOOD.replace("100.0", "1.001")), "amount-wrong"),
        (file(GOOD.replace("2023-05-20", "2023-02-30")), "day-missing"),
        (file().replace(b"Ntfctn>", b"Ntf>"), "file-empty"),
    ],
)
def test_a_file_that_is_not_sound_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(content)
    assert refused.value.code == code
    assert "file" in refused.value.fields


def test_a_file_has_a_bounded_number_of_payments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camt054, "MAX_PAYMENTS", 2)
    assert len(read(file(entry("A1", Paid("1.00"), Paid("2.00")))).payments) == 2
    with pytest.raises(Invalid):
        read(file(entry("A1", Paid("1.00"), Paid("2.00"), Paid("3.00"))))
