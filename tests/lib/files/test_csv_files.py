"""CSV that a spreadsheet cannot be made to calculate (S41)."""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siths_portal.lib.files import csv_files


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))


@pytest.mark.parametrize(
    "text", ["=1+1", "+46", "-Karin", "@sum", "\tx", "\rx", "\nx", "\0=1", "  =1", '=HYPERLINK("http://x")', "\uff1d1"]
)
def test_text_that_begins_a_formula_is_disarmed(text):
    (header, row) = read(csv_files.build([text], [[text]]))
    assert header == row == ["'" + text.replace("\0", "")]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (Decimal("-0.45"), "-0,45"),
        (Decimal("90.0000"), "90,0000"),
        (-1, "-1"),
        (None, ""),
        ("Öckerö", "Öckerö"),
        ('a;"b"\nc', 'a;"b"\nc'),
    ],
)
def test_numbers_and_plain_text_stay(value, cell):
    assert read(csv_files.build(["x"], [[value]]))[1] == [cell]


@given(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=3))
def test_no_text_cell_ever_begins_a_formula(texts):
    row = read(csv_files.build(["x"] * len(texts), [texts]))[1]
    assert len(row) == len(texts)
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in row)


@given(st.text(st.sampled_from("'=+-@ a"), max_size=6))
def test_a_cell_that_comes_back_is_the_text_it_was(text):
    assert csv_files.undone(csv_files.cell(text)) == text


def test_a_long_file_is_streamed_in_pieces_and_is_the_same_file() -> None:
    rows = [[number, f"=rad {number}"] for number in range(1200)]
    asked: list[int] = []

    def one_by_one() -> Iterator[list[object]]:
        for row in rows:
            asked.append(len(asked))
            yield list(row)

    pieces = csv_files.stream(["nummer", "text"], one_by_one())
    first = next(pieces)
    assert len(asked) < 600, "what is sent first is made of the first rows alone"
    rest = list(pieces)
    assert len(rest) == 2
    whole = b"".join([first, *rest])
    assert whole == csv_files.build(["nummer", "text"], rows)
    assert whole.count(b"\xef\xbb\xbf") == 1
    assert read(whole)[1200] == ["1199", "'=rad 1199"]
