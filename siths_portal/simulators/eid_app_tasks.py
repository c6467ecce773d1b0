"""The eID app's state of each start code, in memory only: the holder's present step, and the secrets of that step.

A task lives as long as its start code can. A window that is closed and opened again continues its task. After a restart of the
app the task is lost, and the ID administrator's page gives a new start code. Codes are not stored: they go from the form to the
card.
"""

import contextlib
import datetime as dt
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from siths_portal.simulators.card import TRANSPORT, Card, CardError
from siths_portal.simulators.eid_app_client import (
    NEEDING_PUK,
    NEW_PROFILES,
    SIGNING_PROFILE,
    EidAppClient,
    Opened,
)
from siths_portal.simulators.eid_app_errors import CardRefused, EidAppError, PortalAway, PortalRefused, Untrusted
from siths_portal.simulators.eid_app_handles import is_own, kind_of

# A start code lives 5 minutes until it is used and 15 minutes in all; the rest is for reading the last page.
TASK_SECONDS = 30 * 60
_REPORTED = ("wrong-code", "code-blocked", "wrong-puk", "puk-blocked")
EXPIRED = "Tiden gick ut. Be ID-administratören välja Öppna appen igen i portalen."


class Mistake(Exception):
    """An invalid input, as the field's name and a Swedish sentence (see `problems`)."""

    def __init__(self, **problems: str) -> None:
        super().__init__()
        self.problems = problems


@dataclass(frozen=True)
class CardInReader:
    """A card in the app's list."""

    serial: str
    name: str

    @property
    def ending(self) -> str:
        """The last four digits of the serial."""
        return self.serial[-4:]


@dataclass
class Reader:
    """The card reader: a folder with software cards. Cards without certificates are not shown."""

    folder: Path
    _known: dict[str, CardInReader] = field(default_factory=dict)

    def cards(self) -> list[CardInReader]:
        """Returns the cards in the reader, sorted by holder's name."""
        found = []
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            card = Card(path)
            if path.name.isdigit() and card.finished and (seen := self._known.get(path.name) or self._read(card)):
                found.append(seen)
        return sorted(found, key=lambda seen: (seen.name.casefold(), seen.serial))

    def card(self, serial: str) -> Card | None:
        """Returns the card with this serial, or None if it is not in the reader."""
        return Card(self.folder / serial) if any(seen.serial == serial for seen in self.cards()) else None

    def _read(self, card: Card) -> CardInReader | None:
        try:
            found = card.certificates()
            pem = next((found[profile] for profile in (SIGNING_PROFILE, NEW_PROFILES[1], TRANSPORT) if profile in found), None)
        except (CardError, RuntimeError):  # the next list tries again
            return None
        if pem is None:
            return None
        subject = x509.load_pem_x509_certificate(pem.encode()).subject
        parts = [a.value for oid in (NameOID.GIVEN_NAME, NameOID.SURNAME) for a in subject.get_attributes_for_oid(oid)]
        name = " ".join(str(part) for part in parts) or "Reservkort"
        self._known[card.serial] = CardInReader(card.serial, name)
        return self._known[card.serial]


@dataclass
class Task:
    """The state of one start code. `page` is the present step. Each action can be repeated, and a lock serialises them."""

    handle: str = field(repr=False)
    portal_url: str
    kind: str
    token: str = field(default_factory=lambda: secrets.token_urlsafe(16), repr=False)
    born: float = field(default_factory=time.monotonic)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    card: CardInReader | None = None
    code_on_card: bool = False
    code_reported: bool = False
    code_blocked: bool = False
    ended: str = ""
    notice: str = ""
    serial_ending: str = ""
    _client: EidAppClient | None = field(default=None, repr=False)
    _opened: Opened | None = field(default=None, repr=False)

    @property
    def page(self) -> str:
        """`card`, `code`, `report`, `sign`, `blocked`, `done` or `ended`."""
        if self.ended:
            return "done" if self.ended == "done" else "ended"
        if self._opened is None:
            return "card"
        if self.kind in NEEDING_PUK and not self.code_on_card:
            return "code"
        if self.kind in NEEDING_PUK and not self.code_reported:
            return "report"
        return "blocked" if self.code_blocked else "sign"

    @property
    def is_own(self) -> bool:
        """True if the holder came from Mina sidor, without an ID administrator."""
        return is_own(self.handle)

    @property
    def opened(self) -> Opened | None:
        """The portal's response to `start`, or None before it and after the task."""
        return self._opened

    def insert(self, card: Card, seen: CardInReader) -> None:
        """Starts the transaction with a card. Raises EidAppError; if another card may do, the task stays at `card`."""
        with self.lock:
            if self.page != "card":
                return
            if self._client is None or self._client.card != card:
                self._client = EidAppClient(self.portal_url, card)
            with self._final_if_refused():
                self._opened = self._client.start(self.handle)
            self.card = seen

    @property
    def needs_envelope(self) -> bool:
        """True if the holder types the code of a reserve card's envelope."""
        return self.kind == "activate" and self._opened is not None and not self._opened.puk

    @property
    def envelope_code(self) -> str:
        """The code of the card's envelope, which the page shows because nobody has it on paper. Empty without a card."""
        return self._client.card.envelope_code if self._client is not None else ""

    def choose_code(self, code: str, again: str, envelope: str = "") -> None:
        """Sets the code on the card with the PUK, or with the envelope's code, and reports it. Raises Mistake or EidAppError.

        Checks the time before it changes the card, so that an expired transaction sets no code.
        """
        with self.lock:
            if self.page != "code":
                return
            require_new_code(code, again)
            client, opened = self._ready()
            if dt.datetime.now(dt.UTC) >= opened.expires_at:
                self._end("expired", EXPIRED)
                return
            try:
                if self.needs_envelope:
                    self._exchange_code(client, opened, envelope, code)
                else:
                    client.set_code(opened, code)
            except CardRefused as error:
                self._tell(error)
                raise
            self.code_on_card, self.code_blocked, self.notice = True, False, ""
            self.report_code()

    def report_code(self) -> None:
        """Reports to the portal that the code is set. Can be repeated if an earlier report got no response."""
        with self.lock:
            if self.page != "report":
                return
            client, opened = self._ready()
            with self._final_if_refused(code_set=True):
                client.report_code(opened)
            self.code_reported = True
            if self.kind == "unlock":
                self._end("done", "")

    def sign(self, code: str) -> None:
        """Signs the receipt and sends the signature. Raises Mistake, CardRefused or another EidAppError."""
        with self.lock:
            if self.page != "sign":
                return
            if not code:
                raise Mistake(code="Skriv din legitimeringskod.")
            client, opened = self._ready()
            if self.kind == "fetch":
                self._fetch(client, opened, code)
                return
            try:
                signature = client.signature(opened, code)
            except CardRefused as error:
                self._tell(error)
                if error.code == "code-blocked":
                    self._code_is_blocked(opened)
                    return
                raise
            with self._final_if_refused():
                result = client.complete(opened, signature)
            self.serial_ending = result.card_serial_ending
            self._end("done", "")

    def cancel(self) -> None:
        """Ends the task here and, if it was started, at the portal. Raises PortalAway if the portal does not respond."""
        with self.lock:
            if self.ended:
                return
            kept = self._kept_on_card()
            if self._opened is None:
                who = "väljer du" if self.is_own else "väljer ID-administratören"
                how = f"Kod på sidan går att använda igen tills tiden går ut; annars {who} Öppna appen igen."
                self._end("cancelled", f"{kept}{how}")
                return
            client, opened = self._ready()
            with contextlib.suppress(PortalRefused):  # the portal has already ended it
                client.cancel(opened)
            who = (
                "Du kan välja Öppna appen igen på Mina sidor"
                if self.is_own
                else "ID-administratören kan välja Öppna appen igen i portalen"
            )
            self._end("cancelled", f"{kept}{who} när du vill fortsätta.")

    # --- implementation --------------------------------------------------------------------------------------------------

    def _fetch(self, client: EidAppClient, opened: Opened, code: str) -> None:
        """Fetches the ordered eID. With a code that the holder has blocked, the task ends: the ID administrator can help."""
        try:
            with self._final_if_refused():
                result = client.fetch(opened, self.handle, code)
        except CardRefused as error:
            self._tell(error)
            if error.code == "code-blocked":
                self.code_blocked = True
                return
            raise
        self.serial_ending = result.card_serial_ending
        self._end("done", "")

    def _exchange_code(self, client: EidAppClient, opened: Opened, envelope: str, code: str) -> None:
        """Has a reserve card's new keys certified, and changes the envelope's code into the holder's."""
        if not envelope:
            raise Mistake(envelope="Skriv koden som står i kuvertet.")
        if opened.needs_certificates:
            with self._final_if_refused():
                self._opened = client.certify(opened, self.handle, envelope)
        client.change_code(envelope, code)

    def _ready(self) -> tuple[EidAppClient, Opened]:
        if self._client is None or self._opened is None:
            raise RuntimeError("the transaction is not started")
        return self._client, self._opened

    def _code_is_blocked(self, opened: Opened) -> None:
        """With the PUK, lets the holder choose a new code. Without it, ends the task: only the ID administrator can help."""
        self.code_blocked = True
        if opened.puk:
            self.code_on_card = self.code_reported = False
            self.notice = "Koden spärrades efter 3 felaktiga försök. Välj en ny kod."

    def _kept_on_card(self) -> str:
        if self.code_blocked:
            return "Koden på kortet är spärrad. "
        return "Kortet behåller koden du valde. " if self.code_on_card else "Inget har ändrats på kortet. "

    def _tell(self, error: CardRefused) -> None:
        """Reports the card's refusal to the portal, so that the ID administrator can help. Ignores a lost report."""
        client, opened = self._ready()
        if error.code in _REPORTED:
            with contextlib.suppress(PortalAway, PortalRefused):
                client.report_card(opened, error.code, error.tries_left if error.code == "wrong-code" else None)

    def _end(self, how: str, notice: str) -> None:
        self.ended, self.notice = how, notice
        self._opened = self._client = None

    @contextlib.contextmanager
    def _final_if_refused(self, *, code_set: bool = False) -> Iterator[None]:
        """Ends the task if the portal's refusal is final. In both cases the error is raised again, for the page."""
        try:
            yield
        except (Untrusted, PortalRefused) as error:
            if isinstance(error, Untrusted) or error.final:
                notice = error.message
                if code_set:
                    notice += " Kortet har fått koden, men portalen hann inte få veta det: nästa gång väljer du kod igen."
                self._end("refused", notice)
            raise


def unlock_with_letter(card: Card, puk: str, code: str, again: str) -> None:
    """Sets a new code on a card with the PUK that its holder has got by letter, without the portal.

    Raises Mistake for a PUK or code that the card is not asked to take, and for the card's refusal.
    """
    puk = "".join(puk.split())
    if not (puk.isascii() and puk.isdigit()):
        raise Mistake(puk="Skriv upplåsningskoden (PUK) från brevet, med siffror.")
    require_new_code(code, again)
    try:
        card.unblock(puk=puk, new_code=code)
    except CardError as error:
        raise Mistake(puk=_letter_refusal(error.code, card)) from None


def _letter_refusal(code: str, card: Card) -> str:
    if code == "wrong-puk":
        return f"Fel upplåsningskod (PUK). {card.tries().puk} försök kvar innan kortet inte kan låsas upp mer."
    if code == "puk-blocked":
        return "Kortet kan inte låsas upp mer. Be ID-administratören spärra kortet och beställa ett nytt."
    return "Kortet svarade inte som det ska. Ta ut det, sätt i det och försök igen."


def require_new_code(code: str, again: str) -> None:
    """Raises Mistake unless the code can be chosen and is the same twice."""
    if not code:
        raise Mistake(code="Välj en kod med 6–8 siffror.")
    if not (code.isascii() and code.isdigit()):
        raise Mistake(code="Koden får bara ha siffror.")
    if len(code) < 6:
        raise Mistake(code="Koden är för kort: välj 6–8 siffror.")
    if len(code) > 8:
        raise Mistake(code="Koden är för lång: välj 6–8 siffror.")
    if _is_easy(code):
        raise Mistake(code="Koden är lätt att gissa: välj en annan än siffror i följd eller siffror som upprepas.")
    if code != again:
        raise Mistake(again="Koderna är inte lika. Skriv samma kod i båda fälten.")


def _is_easy(code: str) -> bool:
    """Returns whether digits have an equal distance (111111, 123456, 135791) or repeat up to three digits (121212, 123123)."""
    distances = {(int(after) - int(before)) % 10 for before, after in pairwise(code)}
    repeats = any(code == (code[:length] * len(code))[: len(code)] for length in (2, 3))
    return len(distances) == 1 or repeats


@dataclass
class Tasks:
    """All tasks of the running app, by the hash of their start code and by the token in the app's own URLs. `own_url` is the
    origin of Mina sidor, which shows start codes with prefixes of its own.
    """

    portal_url: str
    own_url: str = ""
    _by_token: dict[str, Task] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, handle: str) -> Task:
        """Returns the task of a start code, and makes one if it has none. Raises BadHandle if the code is malformed."""
        handle = handle.strip()
        kind = kind_of(handle)
        key = hashlib.sha256(handle.encode()).hexdigest()
        with self._lock:
            self._forget_old()
            task = self._by_token.get(self._tokens.get(key, ""))
            if task is None or (task.ended == "cancelled" and task.card is None):
                task = Task(handle, self.own_url if self.own_url and is_own(handle) else self.portal_url, kind)
                self._by_token[task.token] = task
                self._tokens[key] = task.token
            return task

    def find(self, token: str) -> Task | None:
        """Returns the task with the token of a URL, or None if it has ended."""
        with self._lock:
            self._forget_old()
            return self._by_token.get(token)

    def _forget_old(self) -> None:
        limit = time.monotonic() - TASK_SECONDS
        for token in [token for token, task in self._by_token.items() if task.born < limit]:
            del self._by_token[token]
        self._tokens = {key: token for key, token in self._tokens.items() if token in self._by_token}


def problems(error: EidAppError | Mistake) -> Iterator[tuple[str, str]]:
    """Returns an error for the page: the field's name (or "") and the text."""
    if isinstance(error, Mistake):
        yield from error.problems.items()
    else:
        yield ("code" if isinstance(error, CardRefused) and error.code in ("wrong-code", "bad-code") else "", error.message)
