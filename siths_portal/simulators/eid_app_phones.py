"""The eID app on phones and tablets, which gets a mobile eID with a start code from Mina sidor.

Devices are folders. The codes that holders choose go from the form to the device and are not stored.
"""

import threading
from dataclasses import dataclass, field
from pathlib import Path

from siths_portal.simulators import device as phone
from siths_portal.simulators.card import CardError
from siths_portal.simulators.device import Device, DeviceClient, Maker
from siths_portal.simulators.eid_app_errors import BadHandle, CardRefused
from siths_portal.simulators.eid_app_tasks import Mistake, require_new_code

_LONGEST_NAME = 60


@dataclass
class Phones:
    """The devices in `folder` and their maker. `site_url` is the origin of Mina sidor."""

    folder: Path
    site_url: str
    _begun: dict[str, Device] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.maker.prepare()

    @property
    def maker(self) -> Maker:
        """The maker that attests their keys."""
        return Maker(self.folder / phone.MAKER)

    def devices(self) -> list[Device]:
        """Returns the devices, by name."""
        return phone.devices(self.folder)

    def enrol(self, *, handle: str, device: str, name: str, code: str, again: str) -> str:
        """Gets a mobile eID on the device with this serial, or on a new one called `name`, and returns the device's name.

        The same start code goes on with the same device. Raises Mistake, or EidAppError.
        """
        if not handle.startswith("mob."):
            raise BadHandle
        require_new_code(code, again)
        with self._lock:
            chosen = self._begun.get(handle) or self._chosen(device, name)
            self._begun[handle] = chosen
            try:
                DeviceClient(self.site_url, chosen, self.maker).enrol(handle, code)
            except CardError as error:
                tries = chosen.card.tries().code if error.code in ("wrong-code", "code-blocked") else 0
                raise CardRefused(error.code, tries) from None
        return chosen.name

    def _chosen(self, serial: str, name: str) -> Device:
        for known in self.devices():
            if known.card.serial == serial:
                return known
        if not 0 < len(name) <= _LONGEST_NAME:
            raise Mistake(name=f"Skriv ett namn på enheten med högst {_LONGEST_NAME} tecken.")
        return Device.make(self.folder, name)
