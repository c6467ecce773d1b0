"""The own cards of the demo's officers, with their codes. They stay valid after the walk, because officers sign the hand-out of a
reserve card on level 3 with their own cards. The next walk uses them again, and the guide names them.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from django.conf import settings

from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.models import Carrier
from siths_portal.lib.files.atomic import write_atomically


@dataclass(frozen=True)
class OwnCard:
    """A card in the simulators' reader, and the code that its holder chose."""

    serial: str
    code: str = field(repr=False)


def folder(serial: str) -> Path:
    """Returns the folder of a card in the simulators' reader."""
    return settings.VAR_DIR / "simulators" / "cards" / serial


def kept(person_id: UUID) -> OwnCard | None:
    """Returns the card of an earlier walk, or None if the officer has none that is active and in the reader."""
    found = _read().get(str(person_id))
    if found is None or not folder(found["serial"]).is_dir():
        return None
    active = Carrier.objects.filter(card_serial=found["serial"], person=person_id, state=CarrierState.ACTIVE.value)
    return OwnCard(**found) if active.exists() else None


def keep(person_id: UUID, card: OwnCard) -> None:
    """Stores the card for the next walk."""
    content = _read() | {str(person_id): {"serial": card.serial, "code": card.code}}
    write_atomically(_file(), json.dumps(content, indent=1).encode(), mode=0o600)


def _file() -> Path:
    return settings.VAR_DIR / "demo" / "officer-cards.json"


def _read() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(_file().read_text()) if _file().exists() else {}
    return found
