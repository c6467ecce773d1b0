"""Imported certificates on hold, a status that we do not take over: neither good nor finally revoked (ADR 0171)."""

from siths_portal.lib.errors import Conflict


def undecided(count: int) -> Conflict:
    """Returns the error for an import with `count` undecided holds: it can be neither requested nor finished."""
    return Conflict(
        "import-on-hold",
        f"{count} uppgifter om certifikat som är tillfälligt spärrade (certificateHold), vilket inte finns här. Provkörningens "
        "rapport nämner dem. Avgör dem i den gamla tjänsten, eller skriv hold: revoke i import.yaml så att de spärras för gott, "
        "och begär importen.",
    )
