"""How a card with a customisation looks, as data for `customisations/card_drawing.html`.

A drawing of our own in units of a tenth of a millimetre.
"""

import base64
from dataclasses import dataclass

from issuance.customisations.queries.customisations import CustomisationFacts

WIDTH = 760
"""The room for a line of back text, of the 856 units of an ID-1 card (ISO/IEC 7810)."""
_FIRST, _STEP, _SIZE = 92, 38, 27
_WIDE, _NARROW = "MWÅÄÖmw@%&", "Iijlft.,:;!'|()- "


@dataclass(frozen=True)
class BackLine:
    """A line of back text at height `y`; one that is `squeezed` is drawn as wide as there is room."""

    text: str
    y: int
    squeezed: bool


@dataclass(frozen=True)
class Drawing:
    """A card from both sides. `logotype` is a data URI; what is empty is drawn as missing."""

    logotype: str
    issuer_number: str
    back: tuple[BackLine, ...]
    back_text: str


def drawing(found: CustomisationFacts) -> Drawing:
    """The card as it would be made now."""
    lines = found.back_text.split("\n") if found.back_text else []
    return Drawing(
        logotype=f"data:image/png;base64,{base64.b64encode(found.logotype).decode()}" if found.logotype else "",
        issuer_number=found.issuer_number,
        back=tuple(BackLine(text, _FIRST + number * _STEP, _width(text) > WIDTH) for number, text in enumerate(lines)),
        back_text=", ".join(line for line in lines if line),
    )


def _width(text: str) -> float:
    """How wide the line would be, rather too much than too little."""
    ems = sum(1 if c in _WIDE else 0.36 if c in _NARROW else 0.76 if c.isupper() else 0.6 for c in text)
    return ems * _SIZE
