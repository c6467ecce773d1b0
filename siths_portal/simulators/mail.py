"""A mail server that keeps what it gets, one file a message, and delivers nothing.

A file `behaviour.json` in the folder, read at each recipient, changes what happens: `{"refuse": 550}` answers that code.
"""

import asyncio
import json
import secrets
import threading
from functools import partial
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from siths_portal.lib.files.atomic import write_atomically
from siths_portal.lib.processes.ending import Ending


class Sink:
    """The handler of the server's sessions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Accepts a recipient, or answers the code of `behaviour.json`."""
        try:
            behaviour: Any = json.loads((self.folder / "behaviour.json").read_text())
        except (OSError, ValueError):
            behaviour = {}
        if code := behaviour.get("refuse"):
            return f"{int(code)} refused"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  (aiosmtpd's name)
        """Keeps the message."""
        content = envelope.original_content or b""
        write_atomically(self.folder / f"{secrets.token_hex(8)}.eml", content, mode=0o600)
        return "250 OK"


class Server:
    """The simulator's server; `port` 0 takes a free one. Raises OSError if the port is taken."""

    def __init__(self, host: str, port: int, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.new_event_loop()
        session = partial(SMTP, Sink(folder), hostname="mail-simulator", loop=self._loop)
        self._server = self._loop.run_until_complete(self._loop.create_server(session, host, port))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def serve_until(self, ending: Ending) -> None:
        """Serves until `ending` is set."""
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        ending.wait()
        self._loop.call_soon_threadsafe(self._loop.stop)
        thread.join()
        self._server.close()
