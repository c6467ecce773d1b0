"""Signed messages: only what a known key signed, unchanged, now, is taken (S30)."""

import base64
import datetime as dt
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from siths_portal.lib.http import webhooks
from siths_portal.lib.http.webhooks import BadSignature, signed_headers, verify

NOW = dt.datetime(2026, 3, 2, 10, 0, tzinfo=dt.UTC)
OLD, NEW, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
BODY = '{"order": "å"}'.encode()


def message(*keys: Ed25519PrivateKey, sent_at: dt.datetime = NOW, body: bytes = BODY) -> dict[str, str]:
    return signed_headers(keys or (OLD,), message_id="msg_1", sent_at=sent_at, body=body)


def refusal(headers: dict[str, str], body: bytes = BODY, *, key: Ed25519PrivateKey = OLD) -> str:
    with pytest.raises(BadSignature) as caught:
        verify([key.public_key()], headers=headers, body=body, now=NOW)
    return caught.value.code


def test_the_form_is_that_of_the_standard() -> None:
    """The signature covers id, time and body with full stops between them (RFC 8032, one signature for a content)."""
    headers = message()
    expected = OLD.sign(b"msg_1.1772445600." + BODY)
    assert headers == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1772445600",
        "webhook-signature": "v1a," + base64.b64encode(expected).decode(),
    }
    verified = verify([OLD.public_key()], headers=headers, body=BODY, now=NOW)
    assert (verified.message_id, verified.sent_at, verified.body) == ("msg_1", NOW, BODY)


def test_another_key_and_a_changed_message_are_refused() -> None:
    headers = message()
    assert refusal(headers, key=STRANGER) == "webhook-signature"
    assert refusal(headers, BODY + b" ") == "webhook-signature"
    assert refusal(headers | {"webhook-id": "msg_2"}) == "webhook-signature"
    assert refusal(headers | {"webhook-timestamp": "1772445601"}) == "webhook-signature"


@pytest.mark.parametrize(("minutes", "code"), [(-5.02, "webhook-time"), (-5, ""), (5, ""), (5.02, "webhook-time")])
def test_a_message_is_good_for_five_minutes_before_and_after(minutes: float, code: str) -> None:
    headers = message(sent_at=NOW + dt.timedelta(minutes=minutes))
    if code:
        assert refusal(headers) == code
    else:
        assert verify([OLD.public_key()], headers=headers, body=BODY, now=NOW)


def test_either_side_changes_its_key_while_messages_go_on() -> None:
    both = message(NEW, OLD)
    assert len(both["webhook-signature"].split(" ")) == 2
    for known in (OLD, NEW):
        assert verify([known.public_key()], headers=both, body=BODY, now=NOW)
    for key in (OLD, NEW):
        assert verify([NEW.public_key(), OLD.public_key()], headers=message(key), body=BODY, now=NOW)
    assert refusal(both, key=STRANGER) == "webhook-signature"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"webhook-id": ""}, "webhook-malformed"),
        ({"webhook-id": "a.b"}, "webhook-malformed"),
        ({"webhook-timestamp": "-1"}, "webhook-malformed"),
        ({"webhook-timestamp": "9" * 12}, "webhook-malformed"),
        ({"webhook-timestamp": "٣"}, "webhook-malformed"),
        ({"webhook-signature": ""}, "webhook-signature"),
        ({"webhook-signature": "v1," + base64.b64encode(b"x" * 64).decode()}, "webhook-signature"),
        ({"webhook-signature": "v1a,%%%"}, "webhook-signature"),
        ({"webhook-signature": "v1a," + base64.b64encode(b"x" * 63).decode()}, "webhook-signature"),
    ],
)
def test_a_malformed_message_is_refused(headers: dict[str, str], code: str) -> None:
    assert refusal(message() | headers) == code


def test_missing_headers_and_an_unknown_version_beside_a_good_one() -> None:
    assert refusal({}) == "webhook-malformed"
    headers = message()
    more = headers | {"webhook-signature": "v9,AAAA " + headers["webhook-signature"]}
    assert verify([OLD.public_key()], headers=more, body=BODY, now=NOW)


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text(max_size=80)))
def test_nothing_that_is_not_signed_is_taken(headers: dict[str, str]) -> None:
    refusal(headers)
    refusal({**message(), **headers}, BODY + b"!")


def test_keys_have_a_text_and_files_hold_one_or_two(tmp_path: Path) -> None:
    public = webhooks.public_key_text(OLD.public_key())
    assert public.startswith("whpk_")
    assert webhooks.read_public_key(public).public_bytes_raw() == OLD.public_key().public_bytes_raw()
    file = tmp_path / "keys"
    lines = [webhooks.private_key_text(key) for key in (NEW, OLD, STRANGER)]
    file.write_text("\n".join(lines[:2]) + "\n")
    assert [key.private_bytes_raw() for key in webhooks.read_private_keys(file)] == [bytes([2]) * 32, bytes([1]) * 32]
    for text in ("", "\n".join(lines), public, "whsk_AAAA", "whsk_%"):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"key|base64|padding"):
            webhooks.read_private_keys(file)
    for text in ("", lines[0], "whpk_AAAA", "whpk_%"):
        with pytest.raises(ValueError, match=r"key|base64|padding"):
            webhooks.read_public_key(text)


def test_a_sender_has_one_or_two_keys_and_a_plain_id() -> None:
    for keys, message_id in (((), "a"), ((OLD, NEW, STRANGER), "a"), ((OLD,), "a.b"), ((OLD,), "x" * 65)):
        with pytest.raises(ValueError, match="one or two keys"):
            signed_headers(keys, message_id=message_id, sent_at=NOW, body=b"")
