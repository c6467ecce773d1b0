"""Tests reach nothing that they did not start: no process of theirs connects to a port or socket of others (ADR 0210)."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Error

from tests.browser import browser
from tests.ports import free_port

__all__ = ["browser"]
OTHERS = range(8000, 9000)  # where the demo listens if nothing says otherwise


@pytest.fixture
def others() -> Iterator[socket.socket]:
    """A server as the demo is one: somebody connects if its queue is not empty."""
    for port in OTHERS:
        try:
            server = socket.create_server(("127.0.0.1", port))
        except OSError:
            continue
        with server:
            server.setblocking(False)
            yield server
            return
    raise AssertionError("no free port")


def was_left_alone(server: socket.socket) -> bool:
    try:
        server.accept()
    except BlockingIOError:
        return True
    return False


CONNECT = """
import asyncio, socket, sys
address = ("localhost", int(sys.argv[1]))
def by_asyncio(address): asyncio.run(asyncio.open_connection(*address))
def by_connect(address): socket.socket().connect(("127.0.0.1", address[1]))
for connect in (socket.create_connection, by_connect, by_asyncio):
    try:
        connect(address)
    except ConnectionRefusedError:
        continue
    sys.exit(1)
"""


def test_no_python_process_connects_to_a_server_of_others(others: socket.socket) -> None:
    port = others.getsockname()[1]
    with pytest.raises(ConnectionRefusedError, match="only what they started"):
        socket.create_connection(("127.0.0.1", port))
    subprocess.run([sys.executable, "-c", CONNECT, str(port)], check=True)
    assert was_left_alone(others)


def test_chromium_opens_no_page_of_others(others: socket.socket, browser: Browser) -> None:
    page = browser.new_page()
    for host in ("localhost", "127.0.0.1"):
        with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
            page.goto(f"http://{host}:{others.getsockname()[1]}/")
    page.close()
    assert was_left_alone(others)


def test_a_socket_of_others_is_refused() -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(path := f"{folder}/redis.sock")
        server.listen()
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
            client.connect(path)


def test_names_of_other_hosts_are_unknown() -> None:
    with pytest.raises(socket.gaierror, match="only what they started"):
        socket.getaddrinfo("register.example.org", 443)


def test_what_tests_start_is_reached() -> None:
    for port in (free_port(), 0):
        with socket.create_server(("127.0.0.1", port)) as server:
            socket.create_connection(server.getsockname()).close()
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(path := str(Path(folder) / "own.sock"))
        server.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)


def test_no_address_outside_is_the_demos() -> None:
    assert {settings.DIRECTORY_URL, settings.PERSON_REGISTER_URL, settings.OIDC_ISSUER, settings.EID_APP_URL.rstrip("/")} == {
        os.environ["DIRECTORY_URL"]
    }
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(settings.DIRECTORY_URL.rpartition(":")[2])))
