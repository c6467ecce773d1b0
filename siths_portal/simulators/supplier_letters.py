"""PUK letters of the card supplier: it opens a PUK with its own key, prints it, and keeps it nowhere else."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

_REGISTRY = jwe.JWERegistry(
    header_registry={name: HeaderParameter(name, "str") for name in ("kid", "order", "item", "serial")},
    algorithms=["ECDH-ES", "A256GCM"],
)


class BadLetter(Exception):
    """What the portal delivered is not the letter's PUK, or there is no key that opens it. The message does not contain it."""


@dataclass(frozen=True)
class Printer:
    """Prints letters to files in `folder`, in place of paper. `key` is the private key of the supplier's letter certificate."""

    key: Path
    folder: Path

    def print_letter(self, order: dict[str, Any], item: int, puk_jwe: str) -> Path:
        """Writes the letter to its holder, readable by its owner only, and returns its file. Raises BadLetter."""
        text = _text(order, *self._opened(order["id"], item, puk_jwe))
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{order['id']}-{item}.txt"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        return path

    def _opened(self, order_id: str, item: int, puk_jwe: str) -> tuple[str, str]:
        """Returns the last digits of the card's number, and the PUK."""
        try:
            key = ECKey.import_key(self.key.read_bytes())
            opened = jwe.decrypt_compact(puk_jwe, key, registry=_REGISTRY)
        except (OSError, ValueError, JoseError) as error:
            raise BadLetter(f"the letter does not open: {type(error).__name__}") from None
        header = opened.headers()
        if (header.get("order"), header.get("item")) != (order_id, str(item)):
            raise BadLetter("the PUK is for another letter")
        return str(header["serial"])[-4:], (opened.plaintext or b"").decode()


def _text(order: dict[str, Any], digits: str, puk: str) -> str:
    """Returns the letter: envelope, sender, and the PUK. Without an address it goes inside another to the tax agency."""
    delivery = order["delivery"]
    address = delivery["address"]
    place = (
        [*address["lines"], f"{address['postal_code']} {address['city']}"] if address else ["Skatteverkets förmedlingsuppdrag"]
    )
    lines = [delivery["recipient"], *place, "", order["print"]["organisation_name"], "", f"Kort som slutar på {digits}", puk]
    return "\n".join(lines) + "\n"
