"""Pictures from outside: taken only if they are wholly what they say they are (S34, S35)."""

import io
import struct
import warnings
from typing import NoReturn

from PIL import Image, UnidentifiedImageError

from siths_portal.lib.errors import Invalid

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def check_png(content: bytes, *, field: str, max_bytes: int, max_side: int) -> tuple[int, int]:
    """Width and height of a still PNG (ISO/IEC 15948) of at most `max_bytes` and `max_side` pixels a side.

    Sizes are checked before anything is decoded. Raises Invalid at `field` also for bytes after the end, which would make the
    file something else as well.
    """
    if len(content) > max_bytes:
        _refuse(field, "image-too-large", f"Bilden är för stor. Högst {max_bytes // 1024} KiB tas emot.")
    if not _ends_with_its_last_chunk(content):
        _refuse(field, "image-not-png", "Filen är inte en hel PNG-bild.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
                width, height = image.size
                if max(width, height) > max_side:
                    _refuse(field, "image-too-large", f"Bilden är för stor. Högst {max_side} bildpunkter på en sida tas emot.")
                if getattr(image, "is_animated", False):
                    _refuse(field, "image-animated", "Bilden är rörlig. Skicka en stillbild.")
                image.load()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, struct.error, Warning, Image.DecompressionBombError):
        _refuse(field, "image-not-png", "Filen är inte en hel PNG-bild.")
    return width, height


def _ends_with_its_last_chunk(content: bytes) -> bool:
    """True if the chunks fill the file exactly and IEND is the last (ISO/IEC 15948 clause 5.3)."""
    if not content.startswith(_PNG_SIGNATURE):
        return False
    position = len(_PNG_SIGNATURE)
    while position + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        position += 12 + length
        if kind == b"IEND":
            return bool(position == len(content))
    return False


def _refuse(field: str, code: str, message: str) -> NoReturn:
    raise Invalid(code, message, fields={field: [message]})
