"""Reading DER in place: as a library reads it, and nothing but errors of one kind for what is not DER."""

import random

import pytest
from asn1crypto import core, parser
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pki.domain import der, tbs
from pki.issuing import lint
from tests.pki.issuing.test_lint import ARC, ISSUER, PROFILE, content

MADE = tbs.build(PROFILE, ISSUER, content())


def outline(data: bytes, found: der.Element) -> list:
    """Tags and contents, all the way down."""
    if not found.tag & 0x20:
        return [found.tag, data[found.content : found.end]]
    return [found.tag, *(outline(data, child) for child in der.children(data, found))]


def outline_of_library(data: bytes) -> list:
    class_, method, tag, _head, contents, _tail = parser.parse(data, strict=True)
    octet = class_ << 6 | method << 5 | tag
    if not method:
        return [octet, contents]
    children, rest = [], contents
    while rest:
        length = sum(map(len, parser.parse(rest)[3:6]))
        children.append(outline_of_library(rest[:length]))
        rest = rest[length:]
    return [octet, *children]


def test_a_certificate_is_read_as_the_library_reads_it():
    assert outline(MADE, der.whole(MADE, der.SEQUENCE)) == outline_of_library(MADE)


@given(st.binary(max_size=70_000))
@hypothesis_settings(deadline=None, derandomize=True, max_examples=50)
def test_what_is_written_is_read_and_is_the_librarys(content):
    made = der.encoded(0x04, content)
    assert made == core.OctetString(content).dump()
    found = der.whole(made, 0x04)
    assert made[found.content : found.end] == content


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x01",
        b"\x30\x80\x00\x00",  # indefinite (X.690 section 10.1)
        b"\x30\x81\x01\x00",  # not the shortest
        b"\x30\x82\x00\x81" + bytes(129),  # leading zero
        b"\x30\x81",
        b"\x30\x85\x01\x00\x00\x00\x00",
        b"\x1f\x81\x01\x00",  # a tag number of several octets
        b"\x30\x00\x00",  # something follows
        b"\x31\x00",
    ],
)
def test_what_is_not_der_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011  (no one message)
        der.whole(data, der.SEQUENCE)


def test_no_change_of_a_certificate_gets_past_the_checks_as_another_error():
    rng = random.Random(4)
    for _ in range(3000):
        spoilt = bytearray(MADE)
        for _ in range(rng.randint(1, 3)):
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        spoilt = spoilt[: rng.choice((len(spoilt), rng.randrange(len(spoilt))))]
        assert isinstance(lint.faults(bytes(spoilt), PROFILE, ISSUER, ARC), list)


@pytest.mark.parametrize("tag", [0xA3, 0xA5], ids=["x400Address", "ediPartyName"])
def test_a_name_of_a_kind_that_nobody_reads_is_a_fault_like_others(tag):
    place = MADE.index(b"http://") - 2
    assert MADE[place] == 0x86  # a URI
    spoilt = MADE[:place] + bytes([tag]) + MADE[place + 1 :]
    assert lint.faults(spoilt, PROFILE, ISSUER, ARC) == ["unreadable: UnsupportedGeneralNameType"]
