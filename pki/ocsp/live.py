"""Signs OCSP responses while relying parties wait (rules/pki 5.3).

Signs for CAs that repeat the request's nonce, for certificates without a stored response yet, and for certificates on hold, which
never have one.

A thread of the `pki` worker, which has the token, listens at a socket in the store's folder. The responder's processes send
signing requests there, few at a time, and give each up after a second (`pki.ocspd.signer_client`); that bounds the queue. A
signing request identifies a certificate; the response has its status in the database at that moment, or `unknown` if no such
certificate exists. No response is stored. If this thread, the database or the token is missing, there is no response, and the
responder serves what the store has.
"""

import contextlib
import datetime as dt
import fcntl
import os
import selectors
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Final, NamedTuple

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from pki.authorities import clock_guard
from pki.domain import ocsp_request, ocsp_response
from pki.hsm import HsmError
from pki.models import ANSWERED, ANSWERING, Certificate, CertificateAuthority, NoncePolicy
from pki.ocsp import feed as ocsp_feed
from pki.ocsp import presigning, signer_checks
from pki.ocsp import unknown as ocsp_unknown
from pki.ocspd import layout
from pki.ocspd.signer_client import ANSWER, NAME, PACKET, QUESTION
from siths_portal.lib import clock
from siths_portal.lib.monitoring import metrics

log = structlog.get_logger(__name__)

BATCH: Final = 64
"""Signing requests that are answered together, with one query for all."""
SIGNER_KEPT: Final = 5.0
"""Seconds after which a CA's responder is looked up again."""
UNKNOWN_EACH_SECOND: Final = 20
"""Signed `unknown` per second for serials that a CA never issued: anyone can invent such serials (ADR 0020)."""
AGAIN: Final = 2.0
"""Seconds before a process tries again to become the signer."""
_LOOK_EACH: Final = 0.5
_LONGEST: Final = QUESTION.size + ocsp_request.LONGEST_NONCE

_SIGNED = metrics.counter("ocsp_live", "Signing requests of the OCSP responder by result", ["said"])


class Question(NamedTuple):
    """A signing request from the responder. `deadline` is by the monotonic clock."""

    number: int
    deadline: float
    hash: str
    ca_id: int
    serial: int
    nonce: bytes

    @classmethod
    def read(cls, packet: bytes) -> "Question":
        """Parses a packet. Raises ValueError for an invalid one."""
        if not QUESTION.size <= len(packet) <= _LONGEST:
            raise ValueError("length")
        number, deadline, second, key = QUESTION.unpack_from(packet)
        ca_id, serial = int.from_bytes(key[:4]), int.from_bytes(key[4:])
        if not 0 < serial < 1 << 159 or ca_id >= 1 << 31:
            raise ValueError("serial")
        return cls(number, deadline, "sha256" if second else "sha1", ca_id, serial, packet[QUESTION.size :])


class _Status(NamedTuple):
    """The certStatus to sign, its status version, and the lifetime of the response."""

    content: bytes
    version: int
    lifetime: dt.timedelta

    @classmethod
    def of(cls, row: Certificate) -> "_Status":
        return cls(presigning.status_of(row), row.status_version, presigning.HOLD_LIFETIME if row.held else presigning.LIFETIME)


_NEVER: Final = _Status(ocsp_response.UNKNOWN, layout.UNKNOWN_VERSION, ocsp_unknown.LIFETIME)


def _nothing(number: int) -> bytes:
    return ANSWER.pack(number, 0, 0, 0, 0)


class Signer:
    """Answers signing requests.

    Signs at most `per_second` responses for each CA, and a few for serials that it never issued, so that the token has time for
    other work.
    """

    def __init__(self, *, per_second: int) -> None:
        self._per_second = per_second
        self._second = 0
        self._spent: dict[tuple[int, bool], int] = {}
        self._signings: dict[int, tuple[float, presigning.Signing]] = {}

    def answer(self, questions: Iterable[Question]) -> dict[int, bytes]:
        """Returns a packet for each signing request, by index; a refused one gets a packet without a response. Never raises."""
        asked = list(questions)
        said = {place: _nothing(question.number) for place, question in enumerate(asked)}
        try:
            said |= self._answer(asked)
        except (DatabaseError, InterfaceError) as error:
            log.error("ocsp_live.database_unavailable", error=type(error).__name__)
            connection.close()
            self._signings.clear()
        _SIGNED.labels("signed").inc(sum(len(packet) > ANSWER.size for packet in said.values()))
        _SIGNED.labels("nothing").inc(sum(len(packet) == ANSWER.size for packet in said.values()))
        return said

    def _answer(self, asked: list[Question]) -> dict[int, bytes]:
        now = time.monotonic()
        in_time = {place: question for place, question in enumerate(asked) if question.deadline > now}
        pairs = {(question.ca_id, question.serial) for question in in_time.values()}
        cas = {ca.id: ca for ca in CertificateAuthority.objects.filter(id__in={ca_id for ca_id, _ in pairs}, state__in=ANSWERING)}
        rows = Certificate.objects.filter(ocsp_feed.named(pairs), status__in=ANSWERED, not_after__gt=clock.now())
        by_pair = {(row.ca_id, int(row.serial, 16)): _Status.of(row) for row in rows.only(*presigning.STATUS_FIELDS)}
        never = pairs - by_pair.keys()
        never -= ocsp_feed.certificates(never).keys() if never else set()
        said: dict[int, bytes] = {}
        for ca in cas.values():
            echoes = ca.nonce_policy == NoncePolicy.ECHO
            mine = {place: each for place, each in in_time.items() if each.ca_id == ca.id and (echoes or not each.nonce)}
            known = {
                place: (each, by_pair[ca.id, each.serial]) for place, each in mine.items() if (ca.id, each.serial) in by_pair
            }
            for lifetime in {status.lifetime for _, status in known.values()}:
                alike = {place: each for place, each in known.items() if each[1].lifetime == lifetime}
                said |= self._sign(ca, alike, lifetime)
            unknown = {place: (each, _NEVER) for place, each in mine.items() if (ca.id, each.serial) in never}
            said |= self._sign(ca, unknown, _NEVER.lifetime, issued=False)
        return said

    def _grant(self, ca_id: int, wanted: int, *, issued: bool) -> int:
        """Returns how many of the `wanted` signatures the CA may make in this second, for issued or for never issued serials."""
        limit = self._per_second if issued else min(self._per_second, UNKNOWN_EACH_SECOND)
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._spent = second, {}
        spent = self._spent.get((ca_id, issued), 0)
        granted = max(0, min(wanted, limit - spent))
        self._spent[ca_id, issued] = spent + granted
        return granted

    def _sign(
        self,
        ca: CertificateAuthority,
        asked: "dict[int, tuple[Question, _Status]]",
        lifetime: dt.timedelta,
        *,
        issued: bool = True,
    ) -> dict[int, bytes]:
        granted = self._grant(ca.id, len(asked), issued=issued)
        if not granted:
            return {}
        asked = dict(islice(asked.items(), granted))
        try:
            signing = self._signing(ca)
            if signing is None:
                return {}
            singles = [
                presigning.Single(question.hash, question.serial, status.content, question.nonce)
                for question, status in asked.values()
            ]
            ders, this_update, next_update = signing.answers(singles, lifetime=lifetime)
        except (HsmError, presigning.SelfCheckFailed, clock_guard.ClockWentBack) as error:
            log.error("ocsp_live.not_signed", ca=ca.slug, waiting=len(asked), error=type(error).__name__)
            self._signings.pop(ca.id, None)
            return {}
        times = int(this_update.timestamp()), int(next_update.timestamp())
        return {
            place: ANSWER.pack(question.number, 1, status.version, *times) + der
            for (place, (question, status)), der in zip(asked.items(), ders, strict=True)
        }

    def _signing(self, ca: CertificateAuthority) -> presigning.Signing | None:
        now = time.monotonic()
        until, signing = self._signings.get(ca.id, (0.0, None))
        if signing is None or until <= now:
            responder = presigning.delegated_responder(ca, clock.now())
            if responder is None:
                self._signings.pop(ca.id, None)
                return None
            signing = presigning.Signing(responder)
            self._signings[ca.id] = now + SIGNER_KEPT, signing
        return signing


class SocketInUse(Exception):
    """Another process signs for this store."""


class SigningServer:
    """A server for signing requests, in packets on a unix socket. Only its owner and the group of the folder may use it."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        """Raises OSError, SocketInUse."""
        folder.mkdir(parents=True, exist_ok=True)
        self._signer = signer
        self._lock: IO[str] = (folder / "live.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise SocketInUse(str(folder)) from error
        path = folder / NAME
        path.unlink(missing_ok=True)  # left by a process that was killed
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.fchmod(self._listening.fileno(), 0o660)  # `bind` creates the socket with this mode
        self._listening.bind(str(path))
        self._listening.listen(BATCH)
        self._listening.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)

    def close(self) -> None:
        """Closes all connections."""
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        self._lock.close()

    def serve(self, ended: threading.Event) -> None:
        """Answers signing requests until `ended` is set."""
        while not ended.is_set():
            asked: list[tuple[socket.socket, Question]] = []
            for key, _ in self._selector.select(_LOOK_EACH):
                if key.fileobj is self._listening:
                    self._accept()
                else:
                    line: socket.socket = key.fileobj  # type: ignore[assignment]
                    asked += [(line, question) for question in self._read(line)]
            if not asked:
                close_old_connections()
                continue
            responses = self._signer.answer(question for _, question in asked)
            for place, (line, _) in enumerate(asked):
                with contextlib.suppress(OSError):  # the client is gone or does not read: its request times out
                    line.send(responses[place])

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            line, _ = self._listening.accept()
            line.setblocking(False)
            self._selector.register(line, selectors.EVENT_READ)

    def _read(self, line: socket.socket) -> Iterator[Question]:
        for _ in range(BATCH):
            try:
                packet = line.recv(PACKET)
                yield Question.read(packet)
            except BlockingIOError:
                return
            except (OSError, ValueError):
                self._selector.unregister(line)
                line.close()
                return


def run(ended: threading.Event) -> None:
    """Signs for the store until `ended` is set; waits while another process does, and starts again after an error."""
    folder = Path(settings.PKI_OCSP_STORE_DIR)
    while not ended.is_set():
        try:
            server = SigningServer(folder, Signer(per_second=settings.PKI_OCSP_LIVE_PER_SECOND))
        except SocketInUse:
            ended.wait(AGAIN)
            continue
        except OSError as error:
            log.error("ocsp_live.no_socket", error=str(error))
            ended.wait(AGAIN)
            continue
        try:
            with signer_checks.told(folder):
                server.serve(ended)
        except Exception:
            log.exception("ocsp_live.fault")
            ended.wait(AGAIN)
        finally:
            server.close()


def start() -> threading.Event:
    """Starts `run` in a thread of this process. Setting the returned event ends it."""
    ended = threading.Event()
    threading.Thread(target=run, args=[ended], name="ocsp-live", daemon=True).start()
    return ended
