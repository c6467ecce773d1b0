"""Nothing but chance's own is left out of a text that is looked at for secrets."""

import uuid

import pytest

from tests.chance import without_chance


@pytest.mark.parametrize(
    "text",
    [
        "13579024-6802-4680-9357-135790246802",
        "0123456789abcdef" * 2,
        "0123456789abcdef" * 4,
        "0123456789ABCDEF" * 2,
        "01234567890123456789012345678901",
    ],
)
@pytest.mark.parametrize("around", ["{}", '"{}"', "id={} ", "/order/{}/", "user:{}"])
def test_random_words_are_left_out(text: str, around: str) -> None:
    assert without_chance(around.format(text)) == around.format("…")


@pytest.mark.parametrize("written", ["2026-11-26T00:46:22.135790Z", "2026-11-26 00:46:22.13579+01", "00:46:22.135790"])
def test_a_moments_fraction_is_left_out(written: str) -> None:
    assert "13579" not in without_chance(written)
    assert "00:46:22" in without_chance(written)


@pytest.mark.parametrize(
    "text",
    ["135790", "189001019802", "18900101-9802", "9752269012345678901", "act.0123456789012345678901", "22.135790", "x" * 40],
)
def test_what_is_looked_for_stays(text: str) -> None:
    assert without_chance(f"{uuid.UUID(int=1)} {text} {'a' * 64}:{text}") == f"… {text} …:{text}"


def test_bytes_are_looked_at_as_bytes() -> None:
    assert "135790" in without_chance(f"(1,\\\\x{b'PIN 135790'.hex()},x)")
    assert "135790" not in without_chance("\\xab135790ff")
