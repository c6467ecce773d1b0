"""The comparison of pages with kept pictures: each kept picture has its look, and a box that moved is found."""

from pathlib import Path

from PIL import Image, ImageDraw

from tests.layout_pictures import FOLDER, difference, file_name, pages

GROUND, SHEET, WORDS = 200, 255, 60


def page(*, top: int = 20, left: int = 20, words: int = 30) -> Image.Image:
    """A sheet with five lines of words, each so long and a point high."""
    picture = Image.new("L", (180, 113), GROUND)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((left, top, left + 100, top + 60), SHEET)
    for line in range(5):
        draw.line((left + 3, top + 5 + 3 * line, left + 3 + words, top + 5 + 3 * line), WORDS)
    return picture


def test_a_box_that_moved_by_a_point_is_found() -> None:
    assert difference(page(), page()) == ""
    assert "of its points" in difference(page(top=21), page())
    assert "an edge moved" in difference(page(left=21, words=29), page())
    assert "in place of" in difference(page().crop((0, 0, 180, 112)), page())


def test_other_words_are_none() -> None:
    assert difference(page(words=33), page()) == ""


def test_each_kept_picture_has_its_look() -> None:
    """So that none stays here unseen when a look gets another name."""
    assert {each.name for each in FOLDER.glob("*.png")} == {f"{name}-{width}.png" for name in pages() for width in (1440, 390)}
    files = [each.read_text() for each in Path(__file__).parent.rglob("test_*.py")]
    for look in pages().values():
        series, _, name = look.partition(" ")
        named = (f'"{look}"',), (f'"{series}', f'"{name}"')
        assert any(all(text in content for text in texts) for content in files for texts in named), look
        assert file_name(look) in pages()
