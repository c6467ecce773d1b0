"""Certificates on hold, which there are none of here: neither good nor revoked for good (ADR 0171)."""

from siths_portal.lib.errors import Conflict


def undecided(count: int) -> Conflict:
    """Why an import with so many of them is not asked for and never finishes."""
    return Conflict(
        "import-on-hold",
        f"{count} uppgifter om certifikat som är tillfälligt spärrade (certificateHold), vilket inte finns här. Provkörningens "
        "rapport nämner dem. Avgör dem i den gamla tjänsten, eller skriv hold: revoke i import.yaml så att de spärras för gott, "
        "och begär importen.",
    )
