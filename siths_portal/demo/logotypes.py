"""Draws the logotypes of the demo's card customisations (initials on a colour) and stores them as the supplier."""

import hashlib
import io

from PIL import Image, ImageDraw, ImageFont

from issuance.customisations.models import CardCustomisation
from issuance.suppliers.services import supplier_intake

SUPPLIER = "kortleverantor-1"
PUSHED_SUPPLIER = "kortleverantor-2"
_COLOURS = ("#0b5c8a", "#7a2e5d", "#2f6b3a", "#8a4b0b")
_WIDTH, _HEIGHT = 720, 240


def put_logotype(row: CardCustomisation) -> None:
    """Draws and stores the logotype of a customisation."""
    png = logotype(row.name, int(row.customisation_id))
    digest = hashlib.sha256(png).hexdigest()
    supplier_intake.put_logotype(
        client_ref=row.supplier_ref, customisation_id=row.customisation_id, png=png, sha256=digest, check=lambda _row: None
    )


def logotype(name: str, number: int) -> bytes:
    """Returns a PNG with initials next to bars. `number` selects the colour."""
    colour = _COLOURS[number % len(_COLOURS)]
    image = Image.new("RGBA", (_WIDTH, _HEIGHT), (255, 255, 255, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((4, 4, _HEIGHT - 4, _HEIGHT - 4), radius=56, fill=colour)
    initials = "".join(word[0] for word in name.split())[:2].upper()
    draw.text((_HEIGHT / 2, _HEIGHT / 2), initials, "white", ImageFont.load_default(108), anchor="mm")
    for step, length in enumerate((420, 340, 250)):
        top = 44 + step * 60
        draw.rounded_rectangle((_HEIGHT + 36, top, _HEIGHT + 36 + length, top + 28), radius=14, fill=colour)
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return content.getvalue()
