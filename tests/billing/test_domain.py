"""Money, months, check digits, order and texts."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.documents.domain.composition import compose
from billing.documents.domain.invoices import LineContent, total
from billing.ledger.domain.grouping import Group, Labels, Subscriber
from billing.records.domain import identifiers, money
from billing.records.domain.periods import Month
from billing.records.domain.text import one_line
from siths_portal.lib.clock import STOCKHOLM
from siths_portal.lib.ordering import swedish_key
from tests.billing.documents.samples import BUYER, SELLER
from tests.billing.facts import local, uid

D = Decimal


@pytest.mark.parametrize(
    ("amount", "ore"), [("0.125", "0.13"), ("2.675", "2.68"), ("0.124999", "0.12"), ("1.005", "1.01"), ("0.005", "0.01")]
)
def test_half_an_ore_goes_up(amount, ore):
    assert money.to_ore(D(amount)) == D(ore)


@pytest.mark.parametrize(("amount", "rounding"), [("10.49", "-0.49"), ("10.50", "0.50"), ("10.00", "0.00"), ("0.51", "0.49")])
def test_krona_rounding(amount, rounding):
    assert money.krona_rounding(D(amount)) == D(rounding)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("302618.75", "302\u00a0618,75"),
        ("90.0000", "90,00"),
        ("12.3450", "12,345"),
        ("-0.25", "-0,25"),
        ("1000000", "1\u00a0000\u00a0000,00"),
    ],
)
def test_swedish_amounts(value, text):
    assert money.swedish(D(value)) == text


def test_vat_is_taken_once_on_the_sum():
    """Per line it would be 0.06 + 0.06 + 0.06 = 0.18; on the sum it is 0.69 * 25 % = 0.17."""
    lines = [_line(net="0.23") for _ in range(3)]
    totals = total(lines, round_to_krona=False)
    assert (totals.net, totals.vat, totals.gross) == (D("0.69"), D("0.17"), D("0.86"))


def test_each_rate_has_its_own_vat():
    totals = total([_line(net="0.10"), _line(net="0.10", rate="6"), _line(net="0.10")], round_to_krona=True)
    assert [(t.rate, t.base, t.vat) for t in totals.subtotals] == [(D(6), D("0.10"), D("0.01")), (D(25), D("0.20"), D("0.05"))]
    assert (totals.gross, totals.rounding, totals.payable) == (D("0.36"), D("-0.36"), D("0.00"))


def _line(*, net: str, rate: str = "25") -> LineContent:
    return LineContent(1, "card", uid("o"), None, "589", "589", D(1), D(net), D(rate), D(net), Month(2023, 4), "card|589")


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        (local(2024, 3, 31, 23, 30), Month(2024, 3)),
        (local(2024, 3, 31, 23, 59, 59, 999999), Month(2024, 3)),
        (local(2024, 4, 1), Month(2024, 4)),
        (dt.datetime(2023, 10, 29, 2, 30, tzinfo=STOCKHOLM, fold=0), Month(2023, 10)),
        (dt.datetime(2023, 10, 29, 2, 30, tzinfo=STOCKHOLM, fold=1), Month(2023, 10)),
        (dt.datetime(2024, 2, 29, 22, 59, 59, tzinfo=dt.UTC), Month(2024, 2)),
        (dt.datetime(2024, 2, 29, 23, 0, tzinfo=dt.UTC), Month(2024, 3)),
        (dt.datetime(2024, 12, 31, 23, 0, tzinfo=dt.UTC), Month(2025, 1)),
    ],
)
def test_months_are_stockholms(moment, month):
    assert Month.of(moment) == month
    assert month.start <= moment < month.end


@given(st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)))
def test_months_have_no_gap(day):
    month = Month.of_day(day)
    assert month.end == month.following().start
    assert month.following().previous() == month
    assert month.first_day <= day <= month.last_day
    assert Month.parse(month.code()) == month


@pytest.mark.parametrize("text", ["2023-4", "2023-13", "2023-00", "23-04", "2023-04-01", "", "１９９９-01", "1999-12"])
def test_a_month_is_written_one_way(text):
    with pytest.raises(ValueError, match=r"^.*$"):
        Month.parse(text)


def test_month_in_swedish():
    assert str(Month(2023, 4)) == "april 2023"


def test_ocr_of_the_specification():
    assert identifiers.ocr_reference(2023, 1) == "202300000124"


@given(st.integers(2000, 2099), st.integers(1, 999_999))
def test_ocr_references_are_valid_and_one_wrong_digit_is_seen(year, sequence):
    reference = identifiers.ocr_reference(year, sequence)
    assert identifiers.ocr_valid(reference)
    for place in range(len(reference)):
        other = str((int(reference[place]) + 1) % 10)
        assert not identifiers.ocr_valid(reference[:place] + other + reference[place + 1 :])


def test_ocr_has_room_for_six_digits():
    with pytest.raises(ValueError, match="six digits"):
        identifiers.ocr_reference(2023, 1_000_000)


@pytest.mark.parametrize("number", ["9912346", "50501055"])
def test_bankgiro(number):
    assert identifiers.bankgiro_valid(number)
    assert not identifiers.bankgiro_valid(f"{number[:-1]}{(int(number[-1]) + 1) % 10}")


@pytest.mark.parametrize(("number", "ok"), [("7300010000001", True), ("7300010000002", False), ("730001000000", False)])
def test_gln(number, ok):
    assert identifiers.gln_valid(number) is ok


@pytest.mark.parametrize("number", ["5599990009", "559999000", "55999900080", "559999-0008", "５５９９９９０００８", ""])
def test_bad_organisation_numbers(number):
    assert not identifiers.organisation_number_valid(number)


def test_swedish_order():
    names = ["Öckerö", "Älvsbyn", "Åre", "Zinkgruvan", "partille", "Partille2", "Idé", "Ideal", "Ystad"]
    assert sorted(names, key=swedish_key) == [
        "Idé", "Ideal", "partille", "Partille2", "Ystad", "Zinkgruvan", "Åre", "Älvsbyn", "Öckerö",
    ]  # fmt: skip


def test_one_line_keeps_text_and_drops_what_cannot_be_printed():
    assert one_line("  a\x00b\x1b[31m\r\n<script>\u202egnp\ufffe ") == "ab[31m <script>gnp"


def compose_lines(groups: list[Group]) -> list[str]:
    labels = Labels(
        offices={uid("a"): "Kontor A", uid("b"): "Åhus", uid("same"): "Kontor A"},
        articles={"589": "589", "610-REK": "610 REK"},
        subscribers={
            uid("own"): Subscriber("Egen", True),
            uid("p"): Subscriber("Partille", False),
            uid("ö"): Subscriber("Öckerö", False),
        },
    )
    content = compose(month=Month(2023, 4), seller=SELLER, buyer=BUYER, groups=groups, labels=labels)
    return [line.text for line in content.lines]


def _group(kind: str, key: str, code: str = "589", month: int = 4, price: str = "90") -> Group:
    office, organisation = (uid(key), None) if kind == "card" else (None, uid(key))
    return Group(f"{kind}|{key}|{code}|{month}", kind, office, organisation, code, D(price), D(25), Month(2023, month), D(1))


def test_order_and_texts_of_lines_do_not_depend_on_the_order_of_groups():
    groups = [
        _group("subscription", "ö", "ABO"),
        _group("card", "b"),
        _group("subscription", "p", "ABO"),
        _group("card", "a", "610-REK"),
        _group("card", "a"),
        _group("subscription", "own", "ABO"),
        _group("card", "a", month=3),
        _group("card", "same"),
    ]
    expected = [
        "589, Kontor A, avser mars 2023",
        "589, Kontor A",
        "610 REK, Kontor A",
        "589, Kontor A",
        "589, Åhus",
        "SITHS-abonnemang, direktanslutning",
        "SITHS-abonnemang, Partille",
        "SITHS-abonnemang, Öckerö",
    ]
    forwards = compose_lines(groups)
    assert forwards == compose_lines(groups[::-1])
    assert sorted(forwards) == sorted(expected)
    assert forwards[4:] == expected[4:], "two offices with one comment stay two lines, Å comes after K, subscriptions last"
