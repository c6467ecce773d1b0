"""Pictures that are turned and cropped to portraits on the server."""

import pytest

from siths_portal.lib.errors import Invalid
from siths_portal.lib.files import framing, images
from siths_portal.lib.files.framing import Framing
from tests.issuance.pictures import picture


@pytest.mark.parametrize("size", [(1600, 1200), (1200, 1600), (1300, 1300), (4000, 3000)])
def test_any_shape_with_room_becomes_a_portrait(size: tuple[int, int]) -> None:
    made = framing.framed(framing.picture(picture(size=size), field="photo"), Framing(), field="photo")
    assert (made.width, made.height) == (600, 800)


def test_no_more_pixels_are_held_than_are_used() -> None:
    """12 megapixels are 36 MB, which only two uploads at a time may take (S36)."""
    pixels = images.upright(picture(size=(4000, 3000)), field="photo", size=None, most=(1600, 1600), check=images.require_room)
    assert pixels.size == (1600, 1200)


def test_a_shape_of_about_3_to_4_is_kept_whole() -> None:
    made = framing.framed(framing.picture(picture(size=(700, 900)), field="photo"), Framing(), field="photo")
    assert (made.width, made.height) == (600, 771)


@pytest.mark.parametrize("size", [(700, 500), (399, 900), (640, 480)])
def test_a_picture_without_room_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(Invalid, match="photo-too-small"):
        framing.picture(picture(size=size), field="photo")


def test_acts_stop_at_the_edges() -> None:
    source = framing.picture(picture(size=(1600, 1200)), field="photo")
    for act in sorted(framing.ACTS):
        content, part = source, Framing()
        for _ in range(12):
            before = content, part
            content, part = framing.adjusted(content, part, act)
            if (content, part) == before:  # framed by these two alone
                continue
            made = framing.framed(content, part, field="photo")
            assert min(made.width / 400, made.height / 533) >= 1
        assert 0 <= part.x <= 1000
        assert 0 <= part.y <= 1000
        assert 1.0 <= part.zoom <= 4.0
    assert Framing.of(part.stored()) == part
