"""A maker of devices whose attestations the portal accepts."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from tests.issuance.suppliers.attesting import CardMaker

ROOTS = "device-roots.pem"


def accepted_maker(settings: Any, folder: Path) -> CardMaker:
    """A maker whose root the settings name. No call waits for the worker."""
    made = CardMaker()
    path = folder / ROOTS
    path.write_bytes(made.root.public_bytes(Encoding.PEM))
    settings.DEVICE_ATTESTATION_ROOTS = str(path)
    settings.EID_APP_WAIT_SECONDS = 0
    return made
