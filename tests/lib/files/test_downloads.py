"""No name of a file breaks out of its header, and every client can read it (RFC 6266, RFC 8187)."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siths_portal.lib.files import downloads


def disposition(filename: str) -> str:
    return downloads.attachment(b"x", media_type="text/csv", filename=filename)["Content-Disposition"]


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("faktura-2023-000001.pdf", 'attachment; filename="faktura-2023-000001.pdf"'),
        ("Öckerö kommun.csv", "attachment; filename*=utf-8''%C3%96cker%C3%B6%20kommun.csv"),
        ("a\r\nSet-Cookie: x=1.csv", 'attachment; filename="aSet-Cookie_ x=1.csv"'),
        ('a".csv; filename=b.exe', 'attachment; filename="a_.csv; filename=b.exe"'),
        ("../../etc/passwd", 'attachment; filename="_.._etc_passwd"'),
        ("\u202efdp.exe", 'attachment; filename="fdp.exe"'),
        ("🎉.pdf", "attachment; filename*=utf-8''%F0%9F%8E%89.pdf"),
        ("", 'attachment; filename="fil"'),
        ("..", 'attachment; filename="fil"'),
    ],
)
def test_a_name_stays_a_name(filename: str, header: str) -> None:
    assert disposition(filename) == header


@given(st.text(max_size=400))
def test_any_text_is_one_header_of_one_parameter(filename: str) -> None:
    header = disposition(filename)
    assert header.isascii()
    assert header.isprintable()
    start, _, value = header.partition("; ")
    assert start == "attachment"
    if value.startswith('filename="'):
        assert value.endswith('"')
        assert '"' not in value[len('filename="') : -1].replace('\\"', "")
    else:
        assert value.startswith("filename*=utf-8''")
        name = unquote(value.removeprefix("filename*=utf-8''"))
        assert not set('/\\\r\n"') & set(name)


def test_a_long_name_keeps_its_ending() -> None:
    assert downloads.safe_name("å" * 500 + ".pdf") == "å" * 146 + ".pdf"


def test_the_content_is_sent_as_given() -> None:
    response = downloads.attachment(b"%PDF", media_type="application/pdf", filename="x.pdf")
    assert (response.content, response["Content-Type"]) == (b"%PDF", "application/pdf")
