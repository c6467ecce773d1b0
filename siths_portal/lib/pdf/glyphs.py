"""Replaces characters that the documents' last font lacks, since a missing glyph silently breaks PDF/A conformance.

The child process uses it. Does not use Django.
"""

import re
import subprocess
from functools import cache

from fontTools.ttLib import TTFont

FAMILY = "DejaVu Sans"
"""The last font of every document's stylesheet. It has all characters of the typeface (`typeface.py`), and many more."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Characters that only modify the previous one: joiners, variation selectors, skin tones, tags.
_MODIFIERS = re.compile("[\u200c\u200d\u2060\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f\U000e0100-\U000e01ef]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")


@cache
def covered() -> frozenset[str]:
    """Returns the characters that the font has in both weights. Raises OSError or CalledProcessError without fontconfig."""
    styles = (FAMILY, f"{FAMILY}:bold")
    return frozenset(map(chr, set.intersection(*(set(_cmap(_file(style))) for style in styles))))


def _file(style: str) -> str:
    found = subprocess.run(["fc-match", "--format=%{file}", style], capture_output=True, text=True, check=True, timeout=30)
    return found.stdout


def _cmap(path: str) -> dict[int, str]:
    with TTFont(path, lazy=True) as font:
        return dict(font.getBestCmap())


def printable(text: str) -> str:
    """Returns `text` with U+FFFD for each character beyond ASCII that the font lacks."""
    if text.isascii():
        return text
    known = covered()
    return _BEYOND_ASCII.sub(lambda match: match[0] if match[0] in known else REPLACEMENT, _MODIFIERS.sub("", text))
