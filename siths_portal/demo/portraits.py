"""Portraits of the demo's people, drawn with Pillow and not of real people. The same number gives the same image."""

import hashlib
import io

from PIL import Image, ImageDraw

SIZE = (600, 800)
_SCALE = 2  # drawn larger and then scaled down, for smooth edges
_GROUNDS = ("#dfe8ea", "#e6e2da", "#dde5dc", "#e4e0e8")
_SKINS = ("#f2d3bd", "#e3b596", "#c68f6c", "#8f5f45", "#f6dfcf")
_HAIRS = ("#3a2a20", "#6b4a2f", "#b58a4c", "#8c8c8c", "#1f1f24", "#a2512d")
_COATS = ("#24507a", "#2d6b5f", "#6a3d5c", "#4a4f57", "#7a5a24")


def portrait_of(number: int) -> bytes:
    """Returns a 3:4 JPEG with head and shoulders from the front, on a light background."""
    draws = hashlib.sha256(f"portrait:{number}".encode()).digest()
    ground, skin, hair, coat = (
        colours[draws[at] % len(colours)] for at, colours in enumerate((_GROUNDS, _SKINS, _HAIRS, _COATS))
    )
    width, height = SIZE[0] * _SCALE, SIZE[1] * _SCALE
    image = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(image)

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return left * width, top * height, right * width, bottom * height

    long_hair = draws[4] % 2
    pen.ellipse(box(0.25, 0.12, 0.75, 0.66 if long_hair else 0.5), fill=hair)
    if long_hair:
        pen.rectangle(box(0.25, 0.39, 0.75, 0.68), fill=hair)
    pen.ellipse(box(0.06, 0.7, 0.94, 1.5), fill=coat)
    pen.rounded_rectangle(box(0.41, 0.56, 0.59, 0.8), radius=0.05 * width, fill=skin)
    pen.polygon([(x * width, y * height) for x, y in ((0.41, 0.74), (0.5, 0.84), (0.59, 0.74), (0.5, 0.78))], fill="#ffffff")
    pen.ellipse(box(0.29, 0.17, 0.71, 0.66), fill=skin)
    pen.pieslice(box(0.27, 0.13, 0.73, 0.55), 180 + draws[5] % 25, 355 - draws[6] % 25, fill=hair)
    for middle in (0.41, 0.59):
        pen.ellipse(box(middle - 0.045, 0.395, middle + 0.045, 0.43), fill="#ffffff")
        pen.ellipse(box(middle - 0.018, 0.397, middle + 0.018, 0.425), fill="#2b2b2b")
        pen.line(box(middle - 0.055, 0.37, middle + 0.055, 0.362 + draws[7] % 3 * 0.004), fill=hair, width=10 * _SCALE)
    pen.line(box(0.5, 0.43, 0.488, 0.5), fill="#00000033", width=4 * _SCALE)
    pen.arc(box(0.43, 0.5, 0.57, 0.58), 20, 160, fill="#9b4b45", width=6 * _SCALE)
    if draws[8] % 3 == 0:
        for middle in (0.41, 0.59):
            pen.ellipse(box(middle - 0.07, 0.37, middle + 0.07, 0.455), outline="#333333", width=5 * _SCALE)
        pen.line(box(0.48, 0.41, 0.52, 0.41), fill="#333333", width=5 * _SCALE)
    out = io.BytesIO()
    image.resize(SIZE, Image.Resampling.LANCZOS).save(out, "JPEG", quality=88)
    return out.getvalue()
