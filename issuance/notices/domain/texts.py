"""Subjects and texts of notices. They name neither person, card nor organisation."""

_CLOSING = "Det går inte att svara på det här meddelandet."
_UNKNOWN = "Känner du inte till det? Spärra {what} genast på Mina sidor, {url}, eller kontakta din ID-administratör."


def new(name: str, at: str, url: str) -> tuple[str, str]:
    """Returns subject and text of the notice that an eID was made: its `name`, such as "SITHS eID", when, and what to do."""
    return f"Du har fått ett nytt {name}", _letter(
        f"Ett nytt {name} skapades i ditt namn {at}.",
        "Var det du? Då behöver du inte göra något.",
        _UNKNOWN.format(what="det", url=url),
    )


def unlocked(at: str, url: str) -> tuple[str, str]:
    """Returns subject and text of the notice that a card is unlocked without a visit: when, and what to do."""
    return "Ditt SITHS-kort låses upp", _letter(
        f"Någon har skrivit under med ditt SITHS eID {at}, för att låsa upp ett kort som är ditt och välja en ny kod.",
        "Var det du? Då behöver du inte göra något.",
        _UNKNOWN.format(what="dina kort", url=url),
    )


def ending(last: str, url: str) -> tuple[str, str]:
    """Returns subject and text of the reminder that an eID ends: the last day and what to do."""
    return "Ditt SITHS eID slutar snart gälla", _letter(
        f"Ett av dina SITHS eID gäller till och med {last}. Be din ID-administratör om ett nytt i god tid.",
        f"Är det redan beställt? Hämta det på Mina sidor, {url}, eller aktivera ditt nya kort.",
    )


def ending_carrier(name: str, last: str, url: str) -> tuple[str, str]:
    """Returns the same for a carrier that the holder replaces alone: its `name`, such as "Mobilt SITHS"."""
    return f"Ditt {name} slutar snart gälla", _letter(
        f"{name} på en av dina enheter gäller till och med {last}. Skaffa ett nytt i god tid på Mina sidor, {url}.",
        "Använder du inte enheten längre? Spärra den där.",
    )


def _letter(*paragraphs: str) -> str:
    return "\n\n".join(("Hej!", *paragraphs, _CLOSING)) + "\n"
