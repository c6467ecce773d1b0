"""Pictures from outside: taken only if they are wholly what they say they are (S34, S35)."""

import io
import re
import struct
import threading
from dataclasses import dataclass
from typing import NoReturn

from PIL import Image, ImageChops, UnidentifiedImageError

from siths_portal.lib.errors import Invalid
from siths_portal.lib.files.sizes import megabytes

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BROKEN = (UnidentifiedImageError, OSError, ValueError, SyntaxError, struct.error, Warning, Image.DecompressionBombError)
"""What Pillow raises on a file that is not what it should be."""


def check_png(content: bytes, *, field: str, max_bytes: int, max_side: int) -> tuple[int, int]:
    """Width and height of a still PNG (ISO/IEC 15948) of at most `max_bytes` and `max_side` pixels a side.

    Sizes are checked before anything is decoded. Raises Invalid at `field` also for bytes after the end, which would make the
    file something else as well.
    """
    if len(content) > max_bytes:
        _refuse(field, "image-too-large", f"Bilden är för stor. Högst {max_bytes // 1024} KiB tas emot.")
    kinds = _chunks(content)
    if not kinds:
        _refuse(field, "image-not-png", "Filen är inte en hel PNG-bild.")
    if b"acTL" in kinds:  # whatever it says of frames: Pillow would warn of nonsense and pass it over
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
    """The kinds of the chunks; none unless they fill the file exactly and IEND is the last (ISO/IEC 15948 clause 5.3)."""
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
    """A portrait as we made it: a plain baseline JPEG without metadata, and its size in pixels."""

    jpeg: bytes
    width: int
    height: int


PORTRAIT_MAX_BYTES = 5 * 1024 * 1024
PORTRAIT_MAX_PIXELS = 4032 * 3024
"""What cameras call 12 megapixels."""
PORTRAIT_LEAST = (400, 533)
PORTRAIT_RATIO = (0.70, 0.80)
"""Width by height: 3:4 and the 35x45 mm of identity photographs, with room for a hasty crop."""
PORTRAIT_SIZE = (600, 800)
PORTRAIT_JPEG_BYTES = 200_000
_QUALITIES = (90, 80, 70, 60, 50, 40, 30, 20)
_MOST_SCANS = 64
_ORIENTATION = 0x0112

_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A marker within entropy-coded data: neither a stuffed byte, a restart nor a fill byte (ITU-T T.81 B.1.1)."""
_SOI, _EOI, _SOS, _APP0, _APP1, _APP14 = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xEE
_EXIF = b"Exif\0\0"
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD})  # DHT, DAC, DQT, DRI
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended sequential, progressive; all with Huffman coding
_decoding = threading.BoundedSemaphore(2)
"""At most two pictures of a process are decoded at a time, so that many uploads at once cost time and not memory (S36)."""


def portrait(content: bytes, *, field: str, size: int | None = None) -> Portrait:
    """A fresh JPEG of at most 600x800 pixels and 200 kB, made of the picture in the JPEG file `content` and nothing else in it.

    Of the file only the segments that carry the picture and its orientation are read, up to the end of the image; bytes, size
    and shape are judged before anything is decoded. `size` is the file's, where `content` is only its beginning. Raises Invalid
    at `field`: not a JPEG, broken off, too large, too small, not a portrait of about 3:4, or without colours (rules/issuance 3.3,
    S34).
    """
    size = max(size or 0, len(content))
    if size > PORTRAIT_MAX_BYTES:
        limit = "Högst 5 MB tas emot. Spara fotot i en mindre storlek och hämta det igen."
        _refuse(field, "photo-too-large", f"Filen är {megabytes(size)}. {limit}")
    found = _only_the_picture(content)
    if found is None:
        _refuse_jpeg(field)
    turned = _orientation(found.exif)
    _check_shape(found.size[::-1] if turned in _SIDEWAYS else found.size, field)
    if found.components == 1:
        _refuse_grey(field)
    try:
        with _decoding, Image.open(io.BytesIO(found.content), formats=("JPEG",)) as image:
            image.draft("RGB", (max(PORTRAIT_SIZE), max(PORTRAIT_SIZE)))
            pixels = image.convert("RGB")
    except _BROKEN:
        _refuse_jpeg(field)
    if turned in _TRANSPOSITIONS:
        pixels = pixels.transpose(_TRANSPOSITIONS[turned])
    pixels.thumbnail(PORTRAIT_SIZE, Image.Resampling.LANCZOS)
    if _has_no_colour(pixels):
        _refuse_grey(field)
    fresh = Image.new("RGB", pixels.size)
    fresh.paste(pixels)
    return Portrait(_encoded(fresh), *fresh.size)


_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings a picture upright, by its Exif orientation (CIPA DC-008, tag 274)."""
_SIDEWAYS = frozenset({5, 6, 7, 8})


def _orientation(exif: bytes) -> int:
    """The orientation that the Exif segment tells; 1 (upright) if there is none that can be read."""
    tags = Image.Exif()
    try:
        tags.load(exif)
        value = tags.get(_ORIENTATION, 1)
    except (*_BROKEN, KeyError, TypeError, IndexError, AttributeError, ZeroDivisionError):
        return 1
    return value if isinstance(value, int) else 1


def _has_no_colour(pixels: Image.Image) -> bool:
    """True if the three channels are alike everywhere, but for what JPEG rounds."""
    red, green, blue = pixels.split()
    differences = (ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return not any(any(each.histogram()[_ROUNDING + 1 :]) for each in differences)


def _refuse_grey(field: str) -> NoReturn:
    _refuse(field, "photo-greyscale", "Fotot är svartvitt. Fotot ska vara i färg. Välj ett annat foto.")


_ROUNDING = 4
"""Steps of 256 by which the channels of a grey picture may differ."""


def _check_shape(size: tuple[int, int], field: str) -> None:
    width, height = size
    if width * height > PORTRAIT_MAX_PIXELS:
        megapixels = -(-width * height // 1_000_000)
        message = (
            f"Fotot är {width} × {height} bildpunkter, {megapixels} megapixlar. Högst 12 megapixlar tas emot. Spara det i en "
            "mindre storlek."
        )
        _refuse(field, "photo-too-many-pixels", message)
    if width < PORTRAIT_LEAST[0] or height < PORTRAIT_LEAST[1]:
        message = f"Fotot är {width} × {height} bildpunkter. Det behöver vara minst {PORTRAIT_LEAST[0]} × {PORTRAIT_LEAST[1]}."
        _refuse(field, "photo-too-small", message)
    if not PORTRAIT_RATIO[0] <= width / height <= PORTRAIT_RATIO[1]:
        message = f"Fotot är {width} × {height} bildpunkter. Beskär det till stående format 3:4, till exempel 600 × 800."
        _refuse(field, "photo-not-portrait", message)


def _encoded(image: Image.Image) -> bytes:
    """`image` as JPEG, in the best quality that keeps within the limit; the last is small enough for any content."""
    for quality in _QUALITIES:
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= PORTRAIT_JPEG_BYTES:
            break
    return out.getvalue()


@dataclass(frozen=True)
class _Picture:
    """A JPEG with nothing in it but the picture, its Exif data, and width, height and components as its frame says."""

    content: bytes
    exif: bytes
    size: tuple[int, int]
    components: int


def _only_the_picture(content: bytes) -> _Picture | None:
    """The JPEG with only what is needed to decode it (tables, one frame, its scans, hints at its colours), and its Exif data.

    None if it does not go on to its end of image by the rules of ITU-T T.81 annex B. What follows the end is left behind.
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
    """The picture by its frame header (ITU-T T.81 B.2.2); None if it has no size."""
    if len(frame) < 6:
        return None
    height, width, components = struct.unpack(">HHB", frame[1:6])
    return _Picture(content, exif, (width, height), components) if width and height else None


def _refuse_jpeg(field: str) -> NoReturn:
    _refuse(field, "photo-not-jpeg", "Filen är inte en hel JPEG-bild. Spara fotot som JPEG och hämta det igen.")


def _refuse(field: str, code: str, message: str) -> NoReturn:
    raise Invalid(code, message, fields={field: [message]})
