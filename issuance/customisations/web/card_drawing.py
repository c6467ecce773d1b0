"""The look of a card with a customisation, as data for `customisations/card_drawing.html`.

The unit of the drawing is a tenth of a millimetre.
"""

import base64
from dataclasses import dataclass

from issuance.customisations.queries.customisations import CustomisationFacts

WIDTH = 760
"""The width available for back text, of the 856 units of an ID-1 card (ISO/IEC 7810)."""
_FIRST, _STEP, _SIZE = 92, 38, 27
_WIDE, _NARROW = "MWÅÄÖmw@%&", "Iijlft.,:;!'|()- "


@dataclass(frozen=True)
class BackLine:
    """A line of back text at height `y`; a `squeezed` line is compressed to the available width."""

    text: str
    y: int
    squeezed: bool


@dataclass(frozen=True)
class Drawing:
    """Both sides of a card. `logotype` is a data URI. Empty parts are drawn as missing."""

    logotype: str
    issuer_number: str
    back: tuple[BackLine, ...]
    back_text: str


def drawing(found: CustomisationFacts) -> Drawing:
    """Returns the card as it would be made now."""
    lines = found.back_text.split("\n") if found.back_text else []
    return Drawing(
        logotype=f"data:image/png;base64,{base64.b64encode(found.logotype).decode()}" if found.logotype else "",
        issuer_number=found.issuer_number,
        back=tuple(BackLine(text, _FIRST + number * _STEP, _width(text) > WIDTH) for number, text in enumerate(lines)),
        back_text=", ".join(line for line in lines if line),
    )


def _width(text: str) -> float:
    """Estimates the width of a line, rounding up."""
    ems = sum(1 if c in _WIDE else 0.36 if c in _NARROW else 0.76 if c.isupper() else 0.6 for c in text)
    return ems * _SIZE
