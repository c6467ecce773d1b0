"""The tour's pictures exist, all of them are shown, and none is heavy."""

import re
from pathlib import Path

from django.conf import settings
from PIL import Image

DOCS = Path(settings.BASE_DIR) / "docs"
NAMED = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", (DOCS / "tour.md").read_text())


def test_every_picture_of_the_tour_is_there_and_says_what_it_shows() -> None:
    assert {DOCS / path for _, path in NAMED} == set((DOCS / "tour").glob("*"))
    assert all(len(text) > 20 for text, _ in NAMED)


def test_the_pictures_are_light_and_as_wide_as_a_screen() -> None:
    for _, path in NAMED:
        assert (DOCS / path).stat().st_size <= 150_000, path
        assert Image.open(DOCS / path).width == 1440, path


def test_the_readme_leads_to_the_tour() -> None:
    assert "(docs/tour.md)" in (DOCS.parent / "README.md").read_text()
