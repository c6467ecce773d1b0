"""The terms of a mobile eID beside the general ones: what its holder promises about the device and the code."""

VERSION = "1"

PROMISES = (
    "Jag har alltid telefonen eller surfplattan under uppsikt, som jag har mitt kort.",
    "Jag håller koden hemlig och förvarar den inte tillsammans med enheten.",
    "Bara jag använder enheten. Jag lånar inte ut den upplåst och delar den inte med någon.",
    "Jag spärrar Mobilt SITHS på Mina sidor innan jag lämnar ifrån mig enheten, och genast om den är borta.",
)
"""What the holder accepts, one promise in each. Mina sidor translates them; the Swedish text is what is kept."""


def text_with(general: str) -> str:
    """Returns everything that the holder accepts: these promises, then the general terms."""
    promises = "\n".join(f"- {promise}" for promise in PROMISES)
    return f"Mobilt SITHS, villkor version {VERSION}\n\n{promises}\n\n{general}"
