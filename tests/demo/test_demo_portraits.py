"""The demo's drawn faces are photographs that the portal takes, the same each time, and not all alike."""

from siths_portal.demo.portraits import portrait_of
from siths_portal.lib.files import images


def test_a_portrait_is_taken_by_the_portal_and_is_always_the_same() -> None:
    drawn = [portrait_of(number) for number in range(8)]
    assert len(set(drawn)) == len(drawn)
    assert portrait_of(3) == drawn[3]
    for one in drawn:
        assert images.portrait(one, field="file")
