"""Identifiers: forms, check digits, and ages over the edges of the calendar."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuance.records.domain import ids
from issuance.records.domain.ids import PersonId, PersonIdKind

TODAY = dt.date(2026, 11, 25)
dates = st.dates(dt.date(1800, 1, 1), TODAY - dt.timedelta(days=1))


def number(born: dt.date, birth_number: int, *, coordination: bool = False) -> str:
    nine = f"{born:%y%m}{born.day + 60 * coordination:02}{birth_number:03}"
    return f"{born.year // 100}{nine}{ids.luhn_check_digit(nine)}"


@given(born=dates, birth_number=st.integers(1, 999), coordination=st.booleans())
def test_twelve_digits_are_taken_at_their_word(born: dt.date, birth_number: int, coordination: bool) -> None:
    text = number(born, birth_number, coordination=coordination)
    expected = PersonIdKind.SAMORDNINGSNUMMER if coordination else PersonIdKind.PERSONNUMMER
    for written in (text, f"{text[:8]}-{text[8:]}", f" {text[:8]} {text[8:]} "):
        parsed = ids.parse_swedish_number(written, today=TODAY)
        assert parsed == PersonId(expected, text)
        assert parsed.birth_date == born
        assert parsed.is_synthetic == (born.year < 1900 and birth_number >= 980)


@given(born=dates, birth_number=st.integers(1, 999), wrong=st.integers(1, 9))
def test_a_wrong_check_digit_is_refused(born: dt.date, birth_number: int, wrong: int) -> None:
    text = number(born, birth_number)
    with pytest.raises(ValueError, match="personnummer"):
        ids.parse_swedish_number(text[:-1] + str((int(text[-1]) + wrong) % 10), today=TODAY)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("121212-1212", "201212121212"),
        ("121212+1212", "191212121212"),
        ("1212121212", "201212121212"),
        ("19121212-1212", "191212121212"),
    ],
)
def test_ten_digits_mean_the_latest_century_and_plus_the_one_before(written: str, expected: str) -> None:
    assert ids.parse_swedish_number(written, today=TODAY).value == expected


def test_ten_digits_that_lie_ahead_this_century_mean_the_last() -> None:
    text = number(dt.date(1926, 11, 26), 980)
    assert ids.parse_swedish_number(text[2:], today=TODAY).value == text
    assert ids.parse_swedish_number(text[2:], today=TODAY + dt.timedelta(days=1)).value == "20" + text[2:]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12",
        "191302301212",
        "200002301239",
        "20301224-1234",
        "١٩١٢١٢١٢١٢١٢",
        "１９１２１２１２１２１２",
        "19121212121２",
        "19121212-12123",
        "191212121212x",
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="personnummer"):
        ids.parse_swedish_number(text, today=TODAY)


def test_a_passport_or_reserve_number_tells_no_birth_date() -> None:
    assert PersonId(PersonIdKind.PASSPORT, "SWE1234567").birth_date is None
    assert PersonId(PersonIdKind.RESERVE, "20850101AB12").birth_date is None


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        ("2008-11-25", "2026-11-25", 18),
        ("2008-11-26", "2026-11-25", 17),
        ("2008-02-29", "2026-02-28", 17),
        ("2008-02-29", "2026-03-01", 18),
        ("1899-12-31", "2026-11-25", 126),
    ],
)
def test_age_is_completed_years(born: str, day: str, age: int) -> None:
    assert ids.age_on(dt.date.fromisoformat(born), dt.date.fromisoformat(day)) == age


def test_hsa_ids_compare_without_case_and_have_a_form() -> None:
    assert ids.parse_hsa_id("SE2321000131-1000") == "SE2321000131-1000"
    assert ids.parse_hsa_id("TSTNMT2321000131-e0001") == "TSTNMT2321000131-e0001"
    assert ids.same_hsa_id("tst2321000131-10aB", "TST2321000131-10Ab")
    for wrong in (
        "SE232100013-1000",
        "SE2321000131",
        "SE2321000131-å",
        "SE2321000131-" + "x" * 19,
        "S2321000131-1",
        "SE2321000131-1@",
    ):
        with pytest.raises(ValueError, match="HSA"):
            ids.parse_hsa_id(wrong)
    with pytest.raises(ValueError, match="environment"):
        ids.parse_hsa_id("TST2321000131-1000", prefixes=frozenset({"SE"}))


def test_organisation_numbers_and_card_serials() -> None:
    assert ids.parse_organisation_number("232100-0131") == "2321000131"
    with pytest.raises(ValueError, match="organisation"):
        ids.parse_organisation_number("232100-0132")
    assert ids.parse_card_serial("9752 6541 325 3214 3214") == "9752654132532143214"
    for wrong in ("975265413253214321", "97526541325321432145", "975265413253214321x", "٩752654132532143214"):
        with pytest.raises(ValueError, match="serial"):
            ids.parse_card_serial(wrong)


def test_the_serial_of_a_new_card_ends_with_its_check_digit() -> None:
    assert ids.parse_new_card_serial("9752 2699 000 0000 0012") == "9752269900000000012"
    for wrong in ("9752269900000000013", "9752269900000000021", "975226990000000001"):
        with pytest.raises(ValueError, match=r"card serial|check digit"):
            ids.parse_new_card_serial(wrong)


@given(digits=st.text("0123456789", min_size=1, max_size=18), position=st.integers(0, 17), change=st.integers(1, 9))
def test_luhn_finds_every_single_wrong_digit(digits: str, position: int, change: int) -> None:
    whole = digits + ids.luhn_check_digit(digits)
    assert ids.luhn_valid(whole)
    index = position % len(whole)
    wrong = whole[:index] + str((int(whole[index]) + change) % 10) + whole[index + 1 :]
    assert not ids.luhn_valid(wrong)
