"""The responder's line to the process that signs for a request: bounded, and given up after a second.

A unix socket of packets in the store's folder. What is asked is a CA, a serial, a hash and perhaps a nonce; the signer looks the
status up by itself, so that nothing that the responder says is signed but the nonce. Without a signer, or beyond the bounds, the
store is all that there is.
"""

import asyncio
import contextlib
import socket
import struct
import time
from pathlib import Path
from typing import Final, NamedTuple

from pki.ocspd.app import Live, Responder, SigningRequest
from pki.ocspd.serving import Asker, Then

NAME: Final = "live.sock"
WAIT: Final = 1.0
"""Seconds after which nothing more is waited for (rules/pki 5.3)."""
AT_ONCE: Final = 64
"""Questions under way, in a process of the responder."""
WAITING: Final = 1024
"""Requests that wait for them: many may wait for the same answer."""
MISSING_EACH_SECOND: Final = 100
NONCES_EACH_SECOND: Final = 500
"""Questions a second, in a process: for what the store has no answer of, and for answers with a nonce.

Of serials that the store does not know, as many again: who invents them keeps nobody from asking about a certificate.
"""
# By whether the store knows of the serial, and whether there is a nonce.
_RATES: Final = {
    (stored, nonce): NONCES_EACH_SECOND if nonce else MISSING_EACH_SECOND for stored in (False, True) for nonce in (False, True)
}
EACH: Final = 0.05
"""Seconds between looks at what is to be given up."""
_AT_A_TIME: Final = 64

# Number, deadline by the monotonic clock, which hash, the store's key; the nonce follows.
QUESTION: Final = struct.Struct("<QdB24s")
# Number, whether something is said, status version, thisUpdate, nextUpdate in seconds; the answer follows.
ANSWER: Final = struct.Struct("<QBqqq")
PACKET: Final = 65_536


class _Asked(NamedTuple):
    """A question under way, and who waits for it. `key` is nothing for one with a nonce, which is nobody else's."""

    deadline: float
    key: tuple[bytes, bool] | None
    waiting: list[Then]


class SignerClient(Asker):
    """One process's line. `tick` is to be called each `EACH` seconds."""

    def __init__(self, folder: Path, responder: Responder, loop: asyncio.AbstractEventLoop) -> None:
        self._path = folder / NAME
        self._responder, self._loop = responder, loop
        self._socket: socket.socket | None = None
        self._number = 0
        self._asked: dict[int, _Asked] = {}
        self._same: dict[tuple[bytes, bool], list[Then]] = {}
        self._waiting = 0
        self._left = {kind: float(rate) for kind, rate in _RATES.items()}
        self._ticked_at = time.monotonic()
        self._tried_at = 0.0

    def ask(self, wanted: SigningRequest, then: Then) -> bool:
        """Asks, unless nobody listens or too much is under way."""
        if self._socket is None or self._waiting >= WAITING:
            return False
        key = None if wanted.nonce else (wanted.key, wanted.second)
        if key is not None and key in self._same:
            self._same[key].append(then)
            self._waiting += 1
            return True
        kind = wanted.stored, bool(wanted.nonce)
        if len(self._asked) >= AT_ONCE or self._left[kind] < 1:
            return False
        self._number += 1
        deadline = time.monotonic() + WAIT
        try:
            self._socket.send(QUESTION.pack(self._number, deadline, wanted.second, wanted.key) + wanted.nonce)
        except BlockingIOError:
            return False
        except OSError:
            self._hang_up()
            return False
        self._left[kind] -= 1
        self._waiting += 1
        asked = self._asked[self._number] = _Asked(deadline, key, [then])
        if key is not None:
            self._same[key] = asked.waiting
        return True

    def tick(self) -> None:
        """Calls if nobody is on the line, and gives up what has taken too long."""
        now = time.monotonic()
        passed, self._ticked_at = now - self._ticked_at, now
        for kind, rate in _RATES.items():
            self._left[kind] = min(float(rate), self._left[kind] + passed * rate)
        for number in [number for number, asked in self._asked.items() if asked.deadline <= now]:
            self._tell(number, None)
        if self._socket is None and now - self._tried_at >= WAIT:
            self._tried_at = now
            self._call()

    def close(self) -> None:
        """Ends the line."""
        if self._socket is not None:
            self._hang_up()

    def _call(self) -> None:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        line.setblocking(False)
        try:
            line.connect(str(self._path))
        except OSError:
            line.close()
            return
        self._socket = line
        self._loop.add_reader(line.fileno(), self._read)
        self._responder.live = True

    def _hang_up(self) -> None:
        line, self._socket, self._responder.live = self._socket, None, False
        if line is not None:
            self._loop.remove_reader(line.fileno())
            line.close()
        for number in list(self._asked):
            self._tell(number, None)

    def _read(self) -> None:
        for _ in range(_AT_A_TIME):
            if self._socket is None:
                return
            try:
                packet = self._socket.recv(PACKET)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if len(packet) < ANSWER.size:
                self._hang_up()
                return
            number, said, version, this_update, next_update = ANSWER.unpack_from(packet)
            self._tell(number, Live(version, this_update, next_update, packet[ANSWER.size :]) if said else None)

    def _tell(self, number: int, said: Live | None) -> None:
        asked = self._asked.pop(number, None)
        if asked is None:
            return  # it was given up
        if asked.key is not None:
            self._same.pop(asked.key, None)
        self._waiting -= len(asked.waiting)
        for then in asked.waiting:
            with contextlib.suppress(ConnectionError):
                then(said)
