"""Pictures for tests."""

import io

from PIL import Image


def picture(shade: int = 120, size: tuple[int, int] = (600, 800)) -> bytes:
    """A JPEG of one colour, of which `shade` is the red."""
    out = io.BytesIO()
    Image.new("RGB", size, (shade, 90, 60)).save(out, "JPEG")
    return out.getvalue()
