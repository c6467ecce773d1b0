"""Uploaded images: accepted only if they are complete and of the declared format (S34, S35)."""

import io
import re
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from PIL import Image, ImageChops, UnidentifiedImageError

from siths_portal.lib.errors import Invalid
from siths_portal.lib.files.sizes import megabytes

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BROKEN = (UnidentifiedImageError, OSError, ValueError, SyntaxError, struct.error, Warning, Image.DecompressionBombError)
"""The exceptions that Pillow raises for an invalid file."""


def check_png(content: bytes, *, field: str, max_bytes: int, max_side: int) -> tuple[int, int]:
    """Validates a still PNG (ISO/IEC 15948) of at most `max_bytes` and `max_side` pixels a side. Returns width and height.

    Checks sizes before decoding. Raises Invalid at `field`, also for bytes after the end, with which the file could have a second
    format.
    """
    if len(content) > max_bytes:
        _refuse(field, "image-too-large", f"Bilden är för stor. Högst {max_bytes // 1024} KiB tas emot.")
    kinds = _chunks(content)
    if not kinds:
        _refuse(field, "image-not-png", "Filen är inte en hel PNG-bild.")
    if b"acTL" in kinds:  # refused whatever its content is; Pillow ignores an invalid one with a warning
        _refuse(field, "image-animated", "Bilden är rörlig. Skicka en stillbild.")
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            width, height = image.size
            if max(width, height) > max_side:
                _refuse(field, "image-too-large", f"Bilden är för stor. Högst {max_side} bildpunkter på en sida tas emot.")
            image.load()
    except _BROKEN:
        _refuse(field, "image-not-png", "Filen är inte en hel PNG-bild.")
    return width, height


def _chunks(content: bytes) -> list[bytes]:
    """Returns the chunk types, or [] unless the chunks fill the file exactly and IEND is the last (ISO/IEC 15948 clause 5.3)."""
    if not content.startswith(_PNG_SIGNATURE):
        return []
    position, kinds = len(_PNG_SIGNATURE), list[bytes]()
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        position += 12 + length
        kinds.append(kind)
        if kind == b"IEND":
            return kinds if position == len(content) else []
    return []


@dataclass(frozen=True)
class Portrait:
    """A re-encoded portrait: a baseline JPEG without metadata, and its size in pixels."""

    jpeg: bytes
    width: int
    height: int


PORTRAIT_MAX_BYTES = 5 * 1024 * 1024
PORTRAIT_MAX_PIXELS = 4032 * 3024
"""12 megapixels, as cameras count them."""
PORTRAIT_LEAST = (400, 533)
PORTRAIT_RATIO = (0.70, 0.80)
"""Width divided by height: allows 3:4 and the 35x45 mm of identity photos, with a tolerance for imprecise cropping."""
PORTRAIT_SIZE = (600, 800)
PORTRAIT_JPEG_BYTES = 200_000
_QUALITIES = (90, 80, 70, 60, 50, 40, 30, 20)
_MOST_SCANS = 64
_ORIENTATION = 0x0112

_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A marker after entropy-coded data that is not a stuffed byte, a restart marker or a fill byte (ITU-T T.81 B.1.1)."""
_SOI, _EOI, _SOS, _APP0, _APP1, _APP14 = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xEE
_EXIF = b"Exif\0\0"
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD})  # DHT, DAC, DQT, DRI
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended sequential, progressive; all with Huffman coding
decoding = threading.BoundedSemaphore(2)
"""A process decodes at most two images at a time, so that many uploads at once take longer but no more memory (S36)."""


def portrait(content: bytes, *, field: str, size: int | None = None) -> Portrait:
    """Re-encodes the image in the JPEG file `content` as a new JPEG of at most 600x800 pixels and 200 kB.

    Reads only the segments with the image and its orientation, up to the end of the image. Checks bytes, size and shape before
    decoding. `size` is the size of the file if `content` is only its beginning. Raises Invalid at `field` if the file is not a
    complete JPEG, is too large or too small, is not a portrait of about 3:4, or is greyscale (rules/issuance 3.3, S34).
    """
    return made(upright(content, field=field, size=size, most=PORTRAIT_SIZE, check=_check_shape), field)


def upright(
    content: bytes,
    *,
    field: str,
    size: int | None,
    most: tuple[int, int],
    check: Callable[[tuple[int, int], str], None],
) -> Image.Image:
    """Returns the pixels of the image in the JPEG file, upright and reduced to at most `most`. `check` gets its size before
    decoding. Raises Invalid at `field`.
    """
    size = max(size or 0, len(content))
    if size > PORTRAIT_MAX_BYTES:
        limit = "Högst 5 MB tas emot. Spara fotot i en mindre storlek och hämta det igen."
        _refuse(field, "photo-too-large", f"Filen är {megabytes(size)}. {limit}")
    found = _only_the_picture(content)
    if found is None:
        _refuse_jpeg(field)
    turned = _orientation(found.exif)
    check(found.size[::-1] if turned in _SIDEWAYS else found.size, field)
    if found.components == 1:
        _refuse_grey(field)
    try:
        with decoding, Image.open(io.BytesIO(found.content), formats=("JPEG",)) as image:
            image.draft("RGB", (max(most), max(most)))
            image.load()
            # Reduced before another image may be decoded: 12 megapixels are 36 MB.
            image.thumbnail(most[::-1] if turned in _SIDEWAYS else most, Image.Resampling.LANCZOS)
            pixels = image.convert("RGB")
    except _BROKEN:
        _refuse_jpeg(field)
    return pixels.transpose(_TRANSPOSITIONS[turned]) if turned in _TRANSPOSITIONS else pixels


def made(pixels: Image.Image, field: str) -> Portrait:
    """Returns the portrait of these pixels. Raises Invalid at `field` if they are greyscale."""
    pixels.thumbnail(PORTRAIT_SIZE, Image.Resampling.LANCZOS)
    if _has_no_colour(pixels):
        _refuse_grey(field)
    fresh = Image.new("RGB", pixels.size)
    fresh.paste(pixels)
    return Portrait(encoded(fresh, PORTRAIT_JPEG_BYTES), *fresh.size)


_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that turns an image upright, by Exif orientation (CIPA DC-008, tag 274)."""
_SIDEWAYS = frozenset({5, 6, 7, 8})


def _orientation(exif: bytes) -> int:
    """Returns the orientation in the Exif segment, or 1 (upright) if it cannot be read."""
    tags = Image.Exif()
    try:
        tags.load(exif)
        value = tags.get(_ORIENTATION, 1)
    except (*_BROKEN, KeyError, TypeError, IndexError, AttributeError, ZeroDivisionError):
        return 1
    return value if isinstance(value, int) else 1


def _has_no_colour(pixels: Image.Image) -> bool:
    """Returns whether the three channels are equal in all pixels, apart from JPEG rounding."""
    red, green, blue = pixels.split()
    differences = (ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return not any(any(each.histogram()[_ROUNDING + 1 :]) for each in differences)


def _refuse_grey(field: str) -> NoReturn:
    _refuse(field, "photo-greyscale", "Fotot är svartvitt. Fotot ska vara i färg. Välj ett annat foto.")


_ROUNDING = 4
"""The largest difference (of 256 levels) between the channels of a greyscale pixel."""


def require_room(size: tuple[int, int], field: str) -> None:
    """Raises Invalid at `field` if an image of this size has too many pixels, or no room for a portrait of 3:4."""
    width, height = size
    broad = min(width, round(height * 3 / 4))
    _check_pixels(width, height, field)
    if broad < PORTRAIT_LEAST[0]:
        message = (
            f"Fotot är {width} × {height} bildpunkter. Det behöver vara minst {PORTRAIT_LEAST[0]} × {PORTRAIT_LEAST[1]} när det "
            "är beskuret till 3:4."
        )
        _refuse(field, "photo-too-small", message)


def _check_shape(size: tuple[int, int], field: str) -> None:
    width, height = size
    _check_pixels(width, height, field)
    if width < PORTRAIT_LEAST[0] or height < PORTRAIT_LEAST[1]:
        message = f"Fotot är {width} × {height} bildpunkter. Det behöver vara minst {PORTRAIT_LEAST[0]} × {PORTRAIT_LEAST[1]}."
        _refuse(field, "photo-too-small", message)
    if not PORTRAIT_RATIO[0] <= width / height <= PORTRAIT_RATIO[1]:
        message = f"Fotot är {width} × {height} bildpunkter. Beskär det till stående format 3:4, till exempel 600 × 800."
        _refuse(field, "photo-not-portrait", message)


def _check_pixels(width: int, height: int, field: str) -> None:
    if width * height > PORTRAIT_MAX_PIXELS:
        megapixels = -(-width * height // 1_000_000)
        message = (
            f"Fotot är {width} × {height} bildpunkter, {megapixels} megapixlar. Högst 12 megapixlar tas emot. Spara det i en "
            "mindre storlek."
        )
        _refuse(field, "photo-too-many-pixels", message)


def encoded(image: Image.Image, most_bytes: int) -> bytes:
    """Encodes `image` as JPEG in the best quality that meets the limit, else in the lowest, which meets it for portraits."""
    for quality in _QUALITIES:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= most_bytes:
            break
    return out.getvalue()


@dataclass(frozen=True)
class _Picture:
    """A JPEG reduced to the image, its Exif data, and the size and number of components from its frame header."""

    content: bytes
    exif: bytes
    size: tuple[int, int]
    components: int


def _only_the_picture(content: bytes) -> _Picture | None:
    """Returns the JPEG with only the segments for decoding (tables, one frame, its scans, colour hints), and its Exif data.

    Returns None unless the file follows ITU-T T.81 annex B up to its end of image. Drops all bytes after the end.
    """
    if not content.startswith(b"\xff\xd8"):
        return None
    kept, exif, position, frames, scans = [b"\xff\xd8"], b"", 2, list[bytes](), 0
    while position + 2 <= len(content):
        if content[position] != 0xFF:
            return None
        marker = content[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == _EOI:
            return _framed(b"".join([*kept, b"\xff\xd9"]), exif, frames[0]) if len(frames) == 1 and scans else None
        end = position + 2 + int.from_bytes(content[position + 2 : position + 4], "big")
        if marker < 0xC0 or 0xD0 <= marker <= _SOI or end < position + 4 or end > len(content):
            return None
        if marker == _SOS:
            found = _MARKER.search(content, end)
            scans += 1
            if found is None or len(frames) != 1 or scans > _MOST_SCANS:
                return None
            end = found.start()
        if marker in _FRAMES:
            frames.append(content[position + 4 : end])
        if marker in (_SOS, _APP0, _APP14) or marker in _TABLES or marker in _FRAMES:
            kept.append(content[position:end])
        elif marker == _APP1 and not exif and content.startswith(_EXIF, position + 4):
            exif = content[position + 4 : end]
        position = end
    return None


def _framed(content: bytes, exif: bytes, frame: bytes) -> _Picture | None:
    """Returns the picture with the values of its frame header (ITU-T T.81 B.2.2), or None if a dimension is zero."""
    if len(frame) < 6:
        return None
    height, width, components = struct.unpack(">HHB", frame[1:6])
    return _Picture(content, exif, (width, height), components) if width and height else None


def _refuse_jpeg(field: str) -> NoReturn:
    _refuse(field, "photo-not-jpeg", "Filen är inte en hel JPEG-bild. Spara fotot som JPEG och hämta det igen.")


def _refuse(field: str, code: str, message: str) -> NoReturn:
    raise Invalid(code, message, fields={field: [message]})
