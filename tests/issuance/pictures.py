"""Pictures for tests."""

import io

from PIL import Image


def picture(shade: int = 120, size: tuple[int, int] = (600, 800)) -> bytes:
    """A JPEG of one grey."""
    out = io.BytesIO()
    Image.new("RGB", size, (shade, shade, shade)).save(out, "JPEG")
    return out.getvalue()
