"""Takes the custodians' shares one after the other, and records who entered what (rules/pki 7.3)."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import Error, transaction

from pki.custodians import held
from pki.domain.pin_shares import HALVES, Share, ShareError, read
from pki.models import Event

log = structlog.get_logger(__name__)

BETWEEN_SECONDS = 600.0
"""How long the first share waits for the second. Then the first is forgotten and both are entered again."""
MOST_REFUSED, CLOSED_SECONDS = 5, 900.0
"""After so many refused shares of a user, none of that user's is taken for this long. The other custodians go on."""
MOST_WRONG_PINS = 2
"""How many PINs the token may refuse before this process takes no more shares: a token locks itself after a few."""


class Refused(Exception):
    """A share was not taken. The message is Swedish, for the custodian, and has no part of a share."""


class NotRecorded(Refused):
    """The event of a share could not be stored, so the share was not taken. It does not count as a try."""


@dataclass(frozen=True)
class Progress:
    """How far the start has come: the halves that are entered."""

    halves: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether both are entered."""
        return len(self.halves) == len(HALVES)

    @property
    def text(self) -> str:
        """What health checks and the command say."""
        if self.is_complete:
            return "båda nyckelhållarna har angett sina delar"
        return f"väntar på nyckelhållare: {len(self.halves)} av {len(HALVES)} delar"


class Entry:
    """One start: at most one share of each half, from two custodians.

    `verify` logs in to the token once with both. It returns whether the token took the PIN, and raises nothing.
    `two_users`: whether the custodians must be different users of the machine.
    """

    def __init__(self, *, verify: Callable[[], bool], two_users: bool, now: Callable[[], float] = time.monotonic) -> None:
        self._verify = verify
        self._two_users = two_users
        self._now = now
        self._lock = threading.Lock()
        self._first: tuple[Share, str, float] | None = None
        self._refused: Counter[str] = Counter()
        self._closed_until: dict[str, float] = {}
        self._useless: set[str] = set()

    def progress(self) -> Progress:
        """Returns how far the start has come."""
        with self._lock:
            return self._progress()

    def _progress(self) -> Progress:
        if held.is_complete():
            return Progress(HALVES)
        first = self._waiting()
        return Progress((first[0].half,) if first else ())

    def enter(self, text: str, user: str) -> Progress:
        """Takes a share from this user of the machine. Raises Refused; the token is asked only when both shares fit together."""
        with self._lock:
            if held.is_complete():
                return Progress(HALVES)
            if len(self._useless) >= MOST_WRONG_PINS:
                raise Refused("Token har nekat för många PIN-koder. Starta om pki-worker och ange delarna som gjordes senast.")
            if self._now() < self._closed_until.get(user, 0.0):
                raise Refused("Du har angett för många felaktiga delar. Vänta en kvart och försök igen.")
            try:
                self._take(text, user)
            except NotRecorded:
                raise
            except Refused as refused:
                self._count(user, refused)
                raise
            return self._progress()

    def _take(self, text: str, user: str) -> None:
        try:
            share = read(text)
        except ShareError:
            raise Refused("Det här är ingen del, eller så är något tecken fel.") from None
        if share.of in self._useless:
            raise Refused("Token godtog inte den PIN-kod som delarna ger. Använd de delar som gjordes senast.")
        first = self._waiting()
        if first is None:
            _record("custodian.share_entered", user, share)
            self._first = share, user, self._now()
            return
        if share.half == first[0].half:
            raise Refused(f"Del {share.half} är redan angiven. Den andra nyckelhållaren anger den andra delen.")
        if self._two_users and user == first[1]:
            raise Refused("Du har redan angett en del. En annan nyckelhållare anger den andra.")
        self._complete(first[0], share, user)

    def _complete(self, first: Share, share: Share, user: str) -> None:
        _record("custodian.share_entered", user, share)
        self._first = None
        try:
            held.hold(first, share)
        except ShareError:
            raise Refused("Delarna hör inte ihop. Båda nyckelhållarna anger sina delar igen.") from None
        if not self._verify():
            held.forget()
            self._useless.add(share.of)
            raise Refused("Token godtog inte den PIN-kod som delarna ger. Använd de delar som gjordes senast.")
        try:
            _record("custodian.start_completed", user, share)
        except NotRecorded:
            held.forget()
            raise

    def _waiting(self) -> tuple[Share, str, float] | None:
        """Returns the first share, unless it has waited for too long."""
        if self._first is not None and self._now() - self._first[2] > BETWEEN_SECONDS:
            log.warning("custodians.share_timed_out", half=self._first[0].half)
            self._first = None
        return self._first

    def _count(self, user: str, refused: Refused) -> None:
        self._refused[user] += 1
        log.warning("custodians.share_refused", user=user, refused=self._refused[user], reason=str(refused))
        if self._refused[user] >= MOST_REFUSED:
            self._closed_until[user] = self._now() + CLOSED_SECONDS
            del self._refused[user]
        _record("custodian.share_refused", user, None)


def _record(action: str, user: str, share: Share | None) -> None:
    """Records who did what at the start, before it has an effect. Raises NotRecorded if the database does not take the event."""
    facts = {"half": share.half, "splitting": share.of} if share else {}
    try:
        with transaction.atomic(durable=True):
            Event.record(
                actor_ref=f"operator:{user}",
                action=action,
                subject_type="token",
                subject_ref=settings.PKCS11_TOKEN,
                facts=facts,
            )
    except Error:
        raise NotRecorded("Databasen svarar inte, så händelsen kan inte sparas. Försök igen.") from None
