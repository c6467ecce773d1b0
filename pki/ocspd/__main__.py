"""`python -m pki.ocspd --store FOLDER --bind ADDRESS:PORT`: the responder's workers, and the keeper that restarts them.

Each worker has its own listening socket at the same address (SO_REUSEPORT). The socket outlives the worker: the next worker
accepts the connections that a dead worker had not accepted yet. The keeper reads no request.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Final

import uvloop

from pki.ocspd.accepting import Acceptor
from pki.ocspd.app import Responder
from pki.ocspd.presence import Presence
from pki.ocspd.serving import Server
from pki.ocspd.signer_client import EACH, SignerClient

log = logging.getLogger("pki.ocspd")

BACKLOG: Final = 1024
SILENT: Final = 1
"""Seconds after which the kernel hands over a connection although its client has sent nothing."""
AGAIN: Final = 0.2
"""Seconds to wait before a worker that ended is replaced."""
ENDING: Final = 5.0
"""Seconds that workers have to shut down."""


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket; other processes of this user may listen at the same address. Raises OSError."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT)
    opened.bind(address)
    opened.listen(BACKLOG)
    opened.setblocking(False)
    return opened


async def serve(listening: socket.socket, store: Path, memo: int, keeper: int) -> None:
    """Runs a worker: answers until SIGTERM, or until the process with id `keeper` is gone."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    responder = Responder(store, memo=memo)
    line = SignerClient(store, responder, loop)
    server = Server(responder, line)
    responder.teller.start()
    Presence(store, responder.counts).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    acceptor = Acceptor(listening, server, loop)
    acceptor.open()
    gc.collect()
    gc.freeze()
    ticked = loop.time()
    while not ended.is_set() and os.getppid() == keeper:
        line.tick()
        if loop.time() - ticked >= 1:
            ticked += 1
            server.tick()
        await asyncio.sleep(EACH)
    acceptor.close()
    server.ending = True
    until = loop.time() + ENDING / 2
    while server.connections and loop.time() < until:
        for connection in list(server.connections):
            connection.end()
        line.tick()
        await asyncio.sleep(EACH)
    line.close()


def _worker(listening: socket.socket, store: Path, memo: int, keeper: int) -> int:
    try:
        uvloop.run(serve(listening, store, memo, keeper))
    except Exception:
        log.exception("a worker ended")
        return 1
    return 0


class Keeper:
    """Runs one worker for each socket until it receives SIGTERM or SIGINT."""

    def __init__(self, sockets: list[socket.socket], store: Path, memo: int) -> None:
        self._sockets, self._store, self._memo = sockets, store, memo
        self._workers: dict[int, socket.socket] = {}
        self._ending = False

    def run(self) -> None:
        """Returns when all workers have ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        for listening in self._sockets:
            self._start(listening)
        while self._workers:
            pid, _ = os.wait()
            listening = self._workers.pop(pid)
            if not self._ending:
                time.sleep(AGAIN)
            if not self._ending:
                self._start(listening)

    def _start(self, listening: socket.socket) -> None:
        # A signal between fork and the entry in `_workers` would leave a worker behind; the keeper's handlers must not run in the
        # new worker.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
        keeper = os.getpid()  # read before the fork: in the worker, getppid() may already return the process that adopted it
        pid = os.fork()
        if pid == 0:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            os._exit(_worker(listening, self._store, self._memo, keeper))
        self._workers[pid] = listening
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        if self._ending:  # a signal may have come since `run` checked
            self._tell(signal.SIGTERM)

    def _end(self, *_: object) -> None:
        if not self._ending:
            signal.signal(signal.SIGALRM, self._kill)
            signal.setitimer(signal.ITIMER_REAL, ENDING)
        self._ending = True
        self._tell(signal.SIGTERM)

    def _kill(self, *_: object) -> None:
        self._tell(signal.SIGKILL)

    def _tell(self, number: signal.Signals) -> None:
        for pid in list(self._workers):
            with contextlib.suppress(ProcessLookupError):  # it has ended, and `run` has not removed it yet
                os.kill(pid, number)


def main() -> int:
    """Returns exit code 0 after a requested shutdown, 1 if the address is in use."""
    parser = argparse.ArgumentParser(prog="pki.ocspd")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--bind", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--memo", type=int, default=10_000)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    host, _, port = options.bind.rpartition(":")
    try:
        sockets = [listen(host, int(port)) for _ in range(options.workers)]
    except OSError as error:
        log.error("%s: %s", options.bind, error.strerror)
        return 1
    Keeper(sockets, options.store, options.memo).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
