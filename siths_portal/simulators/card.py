"""A software smart card: a SoftHSM token in its own folder, with the try counters that SoftHSM lacks.

Five key pairs, as on an ordinary card: four that need the holder's code (authentication and signature, on HSA-id and on person
id), all RSA-2048 or all P-256, and the *card key*, P-256 without code (as PIV's 9E), which identifies the card in the reader.
SO-PIN is the PUK.

SoftHSM reads SOFTHSM2_CONF when it is first loaded, so each action on a card runs in a separate process. A reader,
`python -m siths_portal.simulators.card_process`, forks these processes; each process that uses cards has one reader. It gets
requests as lines of JSON on standard input and writes responses to standard output. No code or PUK is on a command line or in
the environment.
"""

import base64
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

PROFILES = ("person-hsaid-auth", "person-hsaid-sign", "person-id-auth", "person-id-sign")
TRANSPORT = "transport"
"""The certificate of a blank reserve card, which has no other."""

ENVELOPE = "envelope"
"""The file with the code in a reserve card's envelope."""

MOBILE_PROFILES = ("mobile-auth", "mobile-sign")
"""The certificates of a mobile eID, whose device is a token too (`simulators.device`)."""

ALL_PROFILES = (*PROFILES, TRANSPORT, *MOBILE_PROFILES)
SLOT = "@"
"""Parts a profile from the name of a slot, which has further keys and certificates of the same profiles."""

CARD_KEY = "card-key"
KEY_TYPES = ("rsa-2048", "ec-p256")
CODE_TRIES = 3
PUK_TRIES = 10
_REPOSITORY = Path(__file__).resolve().parent.parent.parent


class CardError(Exception):
    """The card refused. `code` is one of wrong-code, code-blocked, wrong-puk, puk-blocked, bad-code, exists, absent, mismatch."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Tries:
    """The numbers of wrong attempts that the card still allows."""

    code: int
    puk: int


def read_tries(folder: Path) -> Tries:
    """Returns the remaining tries of the card in a folder."""
    return Tries(**json.loads((folder / "tries.json").read_text()))


def luhn_digit(digits: str) -> str:
    """Returns the check digit of ISO/IEC 7812-1 annex B for `digits`."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def new_serial() -> str:
    """Returns a new card serial: 19 digits that begin with 9752 and end with a Luhn digit."""
    digits = "9752" + "".join(secrets.choice("0123456789") for _ in range(14))
    return digits + luhn_digit(digits)


def _in_slot(profile: str, slot: str) -> str:
    return f"{profile}{SLOT}{slot}" if slot else profile


@dataclass(frozen=True)
class Card:
    """A card, identified by its folder, whose name is the card's serial. Every method runs in a separate process."""

    folder: Path

    @property
    def serial(self) -> str:
        """The card's serial number of 19 digits."""
        return self.folder.name

    @property
    def finished(self) -> bool:
        """True if all keys of the card are made. If false, making the card was interrupted."""
        return (self.folder / "tries.json").exists()

    @property
    def has_holders_code(self) -> bool:
        """True if the holder has set a code, with the PUK or instead of the transport code."""
        return (self.folder / "holders-code").exists()

    @classmethod
    def make(
        cls,
        cards: Path,
        serial: str,
        *,
        puk: str,
        transport_code: str,
        keys: str = "rsa-2048",
        profiles: Sequence[str] = PROFILES,
    ) -> "Card":
        """Makes the card with its keys: one for each of `profiles`, of the type `keys` (KEY_TYPES), and the card key.

        Starts again with an interrupted card; raises CardError `exists` for a finished one. Waits for an earlier call, which may
        still run after its caller has died and then finish the card.
        """
        card = cls(cards / serial)
        if card.finished:
            raise CardError("exists")
        (card.folder / "tokens").mkdir(parents=True, exist_ok=True, mode=0o700)
        card._act("make", puk=puk, code=transport_code, keys=keys, profiles=list(profiles))
        return card

    def csrs(self, *, code: str, profiles: Sequence[str] = PROFILES, slot: str = "") -> dict[str, str]:
        """Returns certificate requests (RFC 2986) in PEM, by profile, each signed by its key. The subject is empty."""
        found = self._act("csrs", code=code, profiles=[_in_slot(profile, slot) for profile in profiles])
        return {label.partition(SLOT)[0]: pem for label, pem in found.items()}

    def make_keys(self, profiles: Sequence[str], *, code: str, keys: str = "rsa-2048", slot: str = "") -> None:
        """Makes a key for each of `profiles` that has none, of the type `keys` (KEY_TYPES), in a slot if one is named. A reserve
        card gets its keys so, and a card in use those of a further eID.
        """
        self._act("make_keys", profiles=[_in_slot(profile, slot) for profile in profiles], code=code, keys=keys)

    def take_into_use(self, profiles: Sequence[str], slot: str, *, code: str) -> None:
        """Puts keys and certificates of a slot in the place of those of the same profiles, which are deleted. Can be repeated."""
        self._act("take_into_use", profiles=list(profiles), slot=slot, code=code)

    def card_key(self) -> str:
        """Returns the public card key as SubjectPublicKeyInfo in PEM."""
        return cast(str, self._act("card_key"))

    def prove(self, data: bytes) -> bytes:
        """Returns the card key's ECDSA-Sig-Value (RFC 3279) over SHA-256 of `data`. Needs no code."""
        return base64.b64decode(self._act("prove", data=base64.b64encode(data).decode()))

    def sign(self, profile: str, data: bytes, *, code: str, slot: str = "") -> bytes:
        """Signs `data` with the key of `profile`: RSASSA-PKCS1-v1_5, or ECDSA-Sig-Value (RFC 3279), with SHA-256."""
        return base64.b64decode(
            self._act("sign", profile=_in_slot(profile, slot), data=base64.b64encode(data).decode(), code=code)
        )

    def store_certificates(self, certificates: Mapping[str, str], *, code: str, slot: str = "") -> None:
        """Stores certificates (PEM, by profile) and replaces earlier ones. Raises CardError `mismatch` if one has another key."""
        self._act("store", certificates={_in_slot(profile, slot): pem for profile, pem in certificates.items()}, code=code)

    def certificates(self, slot: str = "") -> dict[str, str]:
        """Returns the certificates on the card, or in a slot of it, in PEM, by profile. Needs no code."""
        parted = [(*label.partition(SLOT), pem) for label, pem in self.all_certificates().items()]
        return {profile: pem for profile, _, of, pem in parted if of == slot}

    def all_certificates(self) -> dict[str, str]:
        """Returns every certificate on the card in PEM, by the label of its key. Needs no code."""
        return cast(dict[str, str], self._act("certificates"))

    def change_code(self, old: str, new: str) -> None:
        """Changes the holder's code to 6-8 digits."""
        self._act("change_code", code=old, new=new)

    def unblock(self, *, puk: str, new_code: str) -> None:
        """Sets the holder's code with the PUK and resets the code tries. Keeps the keys."""
        self._act("unblock", puk=puk, new=new_code)

    @property
    def envelope_code(self) -> str:
        """The code that is printed on the sheet in the sealed envelope of a blank reserve card; empty for other cards."""
        sheet = self.folder / ENVELOPE
        return sheet.read_text() if sheet.exists() else ""

    def tries(self) -> Tries:
        """Returns the remaining tries."""
        return read_tries(self.folder)

    def _act(self, name: str, **arguments: Any) -> Any:
        if not (self.folder / "tokens").is_dir():
            raise CardError("absent")
        answer = _reader().ask({"folder": str(self.folder.resolve()), "act": name, "arguments": arguments})
        if "failed" in answer:
            raise RuntimeError(f"the card's process failed at {name}: {answer['failed']}")
        if "error" in answer:
            raise CardError(answer["error"])
        return answer["result"]


class _Reader:
    """A process that loads the libraries once and forks for each action. It ends when this process closes its input or ends."""

    def __init__(self) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("SOFTHSM2", "COVERAGE"))}
        self._asking = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "siths_portal.simulators.card_process"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env=environment | {"PYTHONPATH": str(_REPOSITORY)}, cwd=_REPOSITORY,
        )  # fmt: skip

    @property
    def lives(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Sends a request and returns the response. One request at a time."""
        with self._asking:
            try:
                print(json.dumps(request), file=self._process.stdin)
                line = cast(IO[str], self._process.stdout).readline()
            except BrokenPipeError:
                line = ""
        return cast(dict[str, Any], json.loads(line)) if line else {"failed": "the reader has ended"}


_readers: dict[int, _Reader] = {}  # by process: a child must not read responses for its parent
_finding = threading.Lock()


def _reader() -> _Reader:
    with _finding:
        known = _readers.get(os.getpid())
        if known is None or not known.lives:
            known = _readers[os.getpid()] = _Reader()
        return known
