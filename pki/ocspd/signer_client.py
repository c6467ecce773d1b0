"""The responder's connection to the process that signs on request. Requests are limited in number and time out after a second.

It is a unix socket of packets in the store's folder. A request holds a CA, a serial, a hash and perhaps a nonce; the signer looks
up the status itself, so the nonce is the only value from the responder that is signed. If there is no signer, or a limit is
reached, the responder answers from the store.
"""

import asyncio
import contextlib
import socket
import struct
import time
from pathlib import Path
from typing import Final, NamedTuple

from pki.ocspd.app import Live, Responder, SigningRequest
from pki.ocspd.serving import SigningBackend, Then

NAME: Final = "live.sock"
WAIT: Final = 1.0
"""Seconds to wait for a response (rules/pki 5.3)."""
AT_ONCE: Final = 64
"""Signing requests in progress, in one process of the responder."""
WAITING: Final = 1024
"""OCSP requests that wait for them: many may wait for the same response."""
MISSING_EACH_SECOND: Final = 100
NONCES_EACH_SECOND: Final = 500
"""Signing requests a second, in one process: for responses that the store does not have, and for responses with a nonce.

Serials that the store does not have get an equal limit of their own, so invented serials do not block requests for certificates.
"""
# Keyed by whether the store has the serial, and whether there is a nonce.
_RATES: Final = {
    (stored, nonce): NONCES_EACH_SECOND if nonce else MISSING_EACH_SECOND for stored in (False, True) for nonce in (False, True)
}
EACH: Final = 0.05
"""Seconds between checks for time-outs."""
_AT_A_TIME: Final = 64

# Number, deadline by the monotonic clock, which hash, the store's key; the nonce follows.
QUESTION: Final = struct.Struct("<QdB24s")
# Number, whether there is a response, status version, thisUpdate, nextUpdate in seconds; the response follows.
ANSWER: Final = struct.Struct("<QBqqq")
PACKET: Final = 65_536


class _Asked(NamedTuple):
    """A signing request in progress and its waiting OCSP requests. `key` is None with a nonce: no other request can share it."""

    deadline: float
    key: tuple[bytes, bool] | None
    waiting: list[Then]


class SignerClient(SigningBackend):
    """One process's connection to the signer. The caller runs `tick` every `EACH` seconds."""

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
        """Sends the request. Returns False if no signer listens or a limit is reached."""
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
        """Connects if there is no connection, and gives up requests that took too long."""
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
        """Closes the connection."""
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
