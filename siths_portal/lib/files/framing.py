"""Pictures that become portraits on the server: turned, and cropped to 3:4 around a point (rules/issuance 3.3)."""

import io
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from PIL import Image

from siths_portal.lib.files import images
from siths_portal.lib.files.images import PORTRAIT_LEAST, PORTRAIT_RATIO, Portrait

PICTURE_SIZE = (1600, 1600)
PICTURE_BYTES = 1_000_000
_SHAPE = 3 / 4
_STEP, _CLOSER, _MOST = 125, 1.2, 4.0
_TURNS = {"vrid-vanster": Image.Transpose.ROTATE_90, "vrid-hoger": Image.Transpose.ROTATE_270}
_MOVES = {"upp": (0, -_STEP), "ner": (0, _STEP), "vanster": (-_STEP, 0), "hoger": (_STEP, 0)}
_ZOOMS = {"narmare": _CLOSER, "langre": 1 / _CLOSER}
ACTS = frozenset({*_TURNS, *_MOVES, *_ZOOMS})
"""What `adjusted` can do."""


@dataclass(frozen=True)
class Framing:
    """The part of a picture that becomes the portrait: `x` and `y` say where, in thousandths of the room that is left, and
    `zoom` how much closer than the largest part of 3:4.
    """

    x: int = 500
    y: int = 500
    zoom: float = 1.0

    @classmethod
    def of(cls, stored: dict[str, Any] | None) -> Self:
        """Returns a stored framing, by default the largest part in the middle."""
        return cls(**(stored or {}))

    def stored(self) -> dict[str, Any]:
        """Returns the values to store."""
        return asdict(self)


def picture(content: bytes, *, field: str, size: int | None = None) -> bytes:
    """Re-encodes the image in the JPEG file `content`, upright and at most 1600 pixels a side, as a picture to frame.

    Raises Invalid at `field` as `images.portrait`, but for an image of another shape only if no portrait fits in it.
    """
    pixels = images.upright(content, field=field, size=size, most=PICTURE_SIZE, check=images.require_room)
    return images.encoded(pixels, PICTURE_BYTES)


def adjusted(source: bytes, framing: Framing, act: str) -> tuple[bytes, Framing]:
    """Returns the picture and its framing after one of `ACTS`. What cannot go further stays as it is."""
    if act in _TURNS:
        with images.decoding, Image.open(io.BytesIO(source), formats=("JPEG",)) as image:
            turned = image.convert("RGB").transpose(_TURNS[act])
        return images.encoded(turned, PICTURE_BYTES), Framing()
    if act in _ZOOMS:
        return source, replace(framing, zoom=round(min(max(framing.zoom * _ZOOMS[act], 1.0), _MOST), 3))
    right, down = _MOVES[act]
    return source, replace(framing, x=_within(framing.x + right), y=_within(framing.y + down))


def framed(source: bytes, framing: Framing, *, field: str) -> Portrait:
    """Returns the portrait in the picture. Raises Invalid at `field` if it would be too small, or is greyscale."""
    with images.decoding, Image.open(io.BytesIO(source), formats=("JPEG",)) as image:
        pixels = image.convert("RGB")
    images.require_room(pixels.size, field)
    return images.made(pixels.crop(_box(pixels.size, framing)), field)


def _box(size: tuple[int, int], framing: Framing) -> tuple[int, int, int, int]:
    """Returns the part in pixels: the complete picture if it has about the shape, else 3:4, and never below the least size."""
    width, height = size
    if framing.zoom == 1.0 and PORTRAIT_RATIO[0] <= width / height <= PORTRAIT_RATIO[1]:
        return 0, 0, width, height
    broad = min(width, height * _SHAPE)
    part_width = round(max(broad / framing.zoom, min(PORTRAIT_LEAST[0], broad)))
    part_height = min(round(part_width / _SHAPE), height)
    left = round((width - part_width) * framing.x / 1000)
    top = round((height - part_height) * framing.y / 1000)
    return left, top, left + part_width, top + part_height


def _within(value: int) -> int:
    return min(max(value, 0), 1000)
