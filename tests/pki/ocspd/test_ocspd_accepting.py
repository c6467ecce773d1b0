"""How the OCSP responder takes connections: those whose only request is there at once by itself, all others by the loop."""

import asyncio
import errno
import re
import socket
import threading
import time

import pytest
import uvloop

from pki.ocspd import accepting, layout
from pki.ocspd.__main__ import SILENT, listen
from pki.ocspd.accepting import Acceptor
from pki.ocspd.layout import StoreRecord
from pki.ocspd.serving import Server
from pki.ocspd.writing import Writer
from tests.pki.ocspd.test_ocspd_http import NOW, asked, get, post, replies, responder
from tests.waiting import wait_for

__all__ = ["responder"]
CLOSE = "Connection: close"


class Watched(Acceptor):
    """Notes what it gives to the loop."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.entered: list[str] = []

    def _enter(self, accepted, protocol) -> None:
        self.entered.append(type(protocol).__name__)
        super()._enter(accepted, protocol)


@pytest.fixture
def acceptor(responder):
    """An open acceptor in a loop of its own thread. Gives it and its address."""
    listening = listen("127.0.0.1", 0)
    loop, made = uvloop.new_event_loop(), []

    async def opened() -> None:
        made.append(Watched(listening, Server(responder), loop))
        made[0].open()

    loop.run_until_complete(opened())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield made[0], listening.getsockname()
    loop.call_soon_threadsafe(made[0].close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    listening.close()


def exchanged(address, *pieces) -> bytes:
    """All that comes back over a connection that the other side ends, without Date."""
    with socket.create_connection(address, timeout=30) as client:
        for piece in pieces:
            client.sendall(piece)
        return read(client)


def at_once(watched, address, request) -> tuple[bytes, list[str]]:
    """What comes back to a client that asks as soon as it is connected, and to whom it was given for that.

    The kernel lets a client in that sends nothing for a second. One that the machine held up for so long is followed by another.
    """
    for _ in range(50):
        before, connected = len(watched.entered), time.monotonic()
        with socket.create_connection(address, timeout=30) as client:
            client.sendall(request)
            sent = time.monotonic()
            found = read(client)
        if sent - connected < SILENT / 2:
            return found, watched.entered[before:]
        del watched.entered[before:]
    raise AssertionError("this machine connects nobody and sends within half a second")


def read(client) -> bytes:
    found = b""
    while piece := client.recv(65_536):
        found += piece
    return re.sub(rb"Date: [^\r]*\r\n", b"", found)


@pytest.mark.parametrize("make", [post, get], ids=["post", "get"])
def test_who_asks_once_is_answered_at_the_door_when_his_kind_of_request_is_known(acceptor, make):
    watched, address = acceptor
    first = exchanged(address, make(asked(1), CLOSE))
    assert replies(first) == [(200, b"sha256 1")]
    assert watched.entered == ["Connection"]
    for serial in (1, 127):
        said, entered = at_once(watched, address, make(asked(serial), CLOSE))
        assert (replies(said), entered) == ([(200, b"sha256 %d" % serial)], [])
    assert at_once(watched, address, make(asked(1), CLOSE)) == (first, [])


def test_who_stays_or_comes_in_pieces_is_answered_by_the_loop(acceptor):
    watched, address = acceptor
    exchanged(address, post(asked(1), CLOSE))
    whole = post(asked(127), CLOSE)
    with socket.create_connection(address, timeout=30) as client:
        for _ in range(3):
            client.sendall(post(asked(1)))
            assert client.recv(65_536).endswith(b"sha256 1")
        client.sendall(whole)
        assert replies(read(client)) == [(200, b"sha256 127")]
    with socket.create_connection(address, timeout=30) as client:
        client.sendall(whole[:30])
        wait_for(lambda: len(watched.entered) == 3)
        client.sendall(whole[30:])
        assert replies(read(client)) == [(200, b"sha256 127")]
    assert watched.entered == ["Connection"] * 3


def test_who_says_nothing_is_let_in_and_who_leaves_is_forgotten(acceptor):
    """The kernel waits a second for a client's first octets, and no longer."""
    watched, address = acceptor
    with socket.create_connection(address, timeout=30):
        pass
    with socket.create_connection(address, timeout=30) as client:
        wait_for(lambda: bool(watched.entered))
        client.sendall(post(asked(1), CLOSE))
        assert replies(read(client)) == [(200, b"sha256 1")]


def test_an_answer_that_has_no_room_at_once_comes_whole(responder, tmp_path, acceptor):
    watched, address = acceptor
    large = b"x" * 60_000
    watched._listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    watched._server.responder.__init__(big_store(tmp_path / "big", large))
    exchanged(address, post(asked(5), CLOSE))
    entered: list[str] = []
    while "Tail" not in entered:  # one who is held up before he sends is let in otherwise
        before = len(watched.entered)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connected = time.monotonic()
            client.connect(address)
            client.sendall(post(asked(5), CLOSE))
            sent = time.monotonic()
            wait_for(lambda before=before: len(watched.entered) > before)
            assert replies(read(client)) == [(200, large)]
        entered = watched.entered[before:]
        assert entered == ["Tail"] or sent - connected >= SILENT / 2


def big_store(folder, answer):
    (folder / "wishes").mkdir(parents=True)
    with Writer(folder) as writer:
        writer.put(StoreRecord(layout.key(1, 5), 1, layout.ANSWER, NOW - 60, NOW + 80_000, NOW + 10**6, answer, answer))
        writer.finish_load()
    (folder / "authorities.json").write_text((folder.parent / "authorities.json").read_text())
    return folder


class Full:
    """A listening socket that cannot open anything at first."""

    def __init__(self, listening) -> None:
        self._listening, self.refused = listening, 0

    def fileno(self) -> int:
        return self._listening.fileno()

    def _accept(self):
        if not self.refused:
            self.refused += 1
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listening._accept()


def test_where_nothing_more_can_be_opened_it_is_tried_again(acceptor, monkeypatch, caplog):
    watched, address = acceptor
    monkeypatch.setattr(accepting, "_WAIT", 0.05)
    watched._listening = full = Full(watched._listening)
    assert replies(exchanged(address, post(asked(1), CLOSE))) == [(200, b"sha256 1")]
    assert full.refused == 1
    assert "Too many open files" in caplog.text
