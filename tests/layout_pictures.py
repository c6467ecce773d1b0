"""Pictures of pages, compared with kept ones: strict on where things lie, tolerant to typefaces, dates and numbers.

A kept picture has one grey point for each 8 x 8 pixels, so letters blur to the grey of their line and boxes stay boxes. The pages
in `tests/layout/pages.txt` have kept pictures, `tests/layout/NAME-WIDTH.png`; SITHS_LAYOUT=keep writes them.
"""

import io
import os
from functools import cache
from pathlib import Path

from PIL import Image, ImageChops

FOLDER = Path(__file__).parent / "layout"
POINT = 8
LONGER = 4
"""How many points a page may be longer or shorter: a line that breaks elsewhere."""
DIFFERENT = 40
"""From which difference of 255 a point is another one."""
CONTRAST = 5
"""The exponent that tells a white sheet from the pale ground."""
SHARE = 0.03
"""Which share of the points may be others: a date, a name or a number has other letters."""


@cache
def pages() -> frozenset[str]:
    """The names of the looks whose pictures are kept."""
    lines = (FOLDER / "pages.txt").read_text().splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def compare(name: str, width: int, png: bytes) -> None:
    """Fails if the picture of a page lies otherwise than the kept one. Keeps it instead if SITHS_LAYOUT=keep."""
    kept = FOLDER / f"{name}-{width}.png"
    now = reduced(png)
    if os.environ.get("SITHS_LAYOUT") == "keep":
        now.quantize(16).save(kept, optimize=True)
        return
    problem = difference(now, Image.open(kept).convert("L"))
    assert not problem, (
        f"{name} at {width} pixels: {problem}; look at it, and keep the new picture by SITHS_LAYOUT=keep if it is right"
    )


def reduced(png: bytes) -> Image.Image:
    """The picture in grey, a point for each 8 x 8 pixels."""
    picture = Image.open(io.BytesIO(png)).convert("L")
    whole = picture.crop((0, 0, -(-picture.width // POINT) * POINT, -(-picture.height // POINT) * POINT))
    points = whole.resize((whole.width // POINT, whole.height // POINT), Image.Resampling.BOX)
    return points.point([round(255 * (grey / 255) ** CONTRAST) for grey in range(256)])


def difference(now: Image.Image, kept: Image.Image) -> str:
    """What differs between two reduced pictures, or ""."""
    if abs(now.height - kept.height) > LONGER or now.width != kept.width:
        return f"{now.width} x {now.height} points in place of {kept.width} x {kept.height}"
    box = (0, 0, kept.width, min(now.height, kept.height))
    # A part that is a point lower is no other one: each point is compared with the best of its row's neighbours.
    against = kept.crop(box)
    best = ImageChops.difference(now.crop(box), against)
    for rows in (-1, 1):
        best = ImageChops.darker(best, ImageChops.difference(ImageChops.offset(now.crop(box), 0, rows), against))
    others = sum(best.histogram()[DIFFERENT:])
    share = others / (box[2] * box[3])
    return f"{share:.1%} of its points are others" if share > SHARE else ""
