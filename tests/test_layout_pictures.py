"""The comparison of pictures of pages sees what moved, and not which letters a line has."""

import io

from PIL import Image, ImageDraw

from tests.layout_pictures import difference, reduced


def page(*, box: tuple[int, int, int, int] = (40, 100, 600, 300), text: str = "Prov Provsson", height: int = 800) -> bytes:
    picture = Image.new("RGB", (1440, height), "#f1f5f5")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 1440, 60), fill="#04333b")
    draw.rectangle(box, fill="white", outline="#d3dddf")
    draw.rectangle((box[0] + 20, box[1] + 20, box[0] + 180, box[1] + 64), fill="#0f5f6c")
    draw.text((box[0] + 20, box[1] + 100), text, fill="#1c2628")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def test_other_letters_are_the_same_layout() -> None:
    assert difference(reduced(page(text="2027-01-02 Lova Lovasson")), reduced(page())) == ""
    assert difference(reduced(page(height=816)), reduced(page())) == ""


def test_what_moved_is_seen() -> None:
    assert "of its points" in difference(reduced(page(box=(340, 400, 900, 600))), reduced(page()))
    assert "in place of" in difference(reduced(page(height=1200)), reduced(page()))
