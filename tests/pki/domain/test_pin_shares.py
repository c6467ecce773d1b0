"""Shares of a PIN: two together give it, one says nothing, and every slip of the pen is found without a token."""

import string

import pytest

from pki.domain import pin_shares
from pki.domain.pin_shares import LONGEST_PIN, ShareError, combined, read, split

PIN = "7351-åäö"


@pytest.mark.parametrize("pin", ["1", PIN, "9" * LONGEST_PIN])
def test_two_shares_give_the_pin_in_either_order(pin: str) -> None:
    one, other = (read(text) for text in split(pin))
    assert (one.half, other.half) == ("A", "B")
    assert combined(one, other) == combined(other, one) == pin


@pytest.mark.parametrize("pin", ["", "9" * (LONGEST_PIN + 1), " 1234", "1234\n"])
def test_a_pin_that_does_not_fit_is_refused(pin: str) -> None:
    with pytest.raises(ShareError):
        split(pin)


def test_a_share_is_read_as_people_write_it() -> None:
    text, _ = split(PIN)
    for written in (text.lower(), text.replace(" ", "-"), text.replace(" ", ""), f"\n {text}\t"):
        assert read(written) == read(text)


def test_one_wrong_letter_is_found_wherever_it_stands() -> None:
    text, _ = split(PIN)
    alphabet = string.ascii_uppercase + "234567"
    for place, letter in enumerate(text):
        if letter != " ":
            wrong = text[:place] + alphabet[(alphabet.index(letter) + 1) % 32] + text[place + 1 :]
            with pytest.raises(ShareError):
                read(wrong)


@pytest.mark.parametrize("text", ["", "x", "A" * 64, "A" * 72, "å" * 64, "0189" * 16])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ShareError):
        read(text)


def test_shares_of_two_splittings_or_twice_the_same_do_not_go_together() -> None:
    (one, _), (_, other) = split(PIN), split(PIN)
    for pair in ((one, other), (one, one)):
        with pytest.raises(ShareError):
            combined(*(read(text) for text in pair))


def test_a_block_that_a_custodian_changed_gives_no_pin() -> None:
    """With a right sum: a custodian can write a share of his own choice."""
    one, other = (read(text) for text in split(PIN))
    for place in range(len(one.block)):
        changed = bytearray(one.block)
        changed[place] ^= 1
        with pytest.raises(ShareError):
            combined(pin_shares.Share("A", one.of, bytes(changed)), other)


def test_a_share_alone_fits_every_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each other PIN there is a partner of share B that gives it, so B says nothing about the PIN."""
    _, other = (read(text) for text in split(PIN))
    monkeypatch.setattr(pin_shares.secrets, "token_bytes", lambda count: bytes(count))
    _, plain = (read(text) for text in split("0000"))
    partner = pin_shares.Share("A", other.of, pin_shares._xor(plain.block, other.block))
    assert combined(partner, other) == "0000"


def test_no_representation_shows_the_block() -> None:
    share = read(split(PIN)[0])
    assert repr(share) == f"Share(half='A', of='{share.of}')"
