"""What counts as a PNG from outside."""

import ast
import contextlib
import io
import struct
import zlib
from pathlib import Path

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from siths_portal.lib.errors import Invalid
from siths_portal.lib.files.images import check_png


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), **options) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA" if kind == "PNG" else "RGB", size, "navy").save(out, kind, **options)
    return out.getvalue()


def check(content: bytes, **limits) -> tuple[int, int]:
    return check_png(content, field="png", **({"max_bytes": 100_000, "max_side": 1000} | limits))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_takes_a_png_and_tells_its_size() -> None:
    assert check(picture()) == (40, 30)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "image-not-png"),
        (picture("JPEG"), "image-not-png"),
        (picture("GIF"), "image-not-png"),
        (picture()[:-1], "image-not-png"),
        (picture()[:60], "image-not-png"),
        (picture() + b"<script>", "image-not-png"),
        (picture().replace(b"IDAT", b"JDAT"), "image-not-png"),
        (picture(size=(1001, 5)), "image-too-large"),
        (picture(save_all=True, append_images=[Image.new("RGBA", (40, 30), "red")]), "image-animated"),
    ],
)
def test_refuses_what_is_not_wholly_a_still_png(content: bytes, code: str) -> None:
    with pytest.raises(Invalid, match=code):
        check(content)


def test_s35_the_library_is_told_one_format_wherever_it_opens_a_picture() -> None:
    opened = [
        (path.name, [getattr(each.value, "elts", []) for each in call.keywords if each.arg == "formats"])
        for app in ("siths_portal", "issuance", "billing", "authn", "pki")
        for path in (Path(settings.BASE_DIR) / app).rglob("*.py")
        if "PIL" in (text := path.read_text())
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("Image.open")
    ]
    assert len(opened) >= 4
    assert [name for name, formats in opened if [len(each) for each in formats] != [1]] == []


def test_refuses_by_size_before_decoding() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 6, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(Invalid, match=r"image-(too-large|not-png)"):
        check(bomb)
    with pytest.raises(Invalid, match="image-too-large"):
        check(picture(), max_bytes=10)


@pytest.mark.parametrize("frames", [0, 1, 2, 2**32 - 1])
def test_what_calls_itself_animated_is_refused_whatever_it_says_of_frames(frames: int) -> None:
    content, header = picture(), 8 + 25
    control = chunk(b"acTL", struct.pack(">II", frames, 0))
    with pytest.raises(Invalid, match="image-animated"):
        check(content[:header] + control + content[header:])


def test_refuses_a_wrong_checksum() -> None:
    content = bytearray(picture())
    content[content.index(b"IDAT") + 6] ^= 1
    with pytest.raises(Invalid, match="image-not-png"):
        check(bytes(content))


@given(st.binary(max_size=200), st.integers(0, 60))
def test_never_fails_in_another_way(noise: bytes, position: int) -> None:
    content = picture()
    for candidate in (noise, content[:position] + noise + content[position:], content[: 8 + position] + noise):
        with contextlib.suppress(Invalid):
            check(candidate)
