"""Takes shares at a unix socket in the process that starts. The kernel says which user of the machine is at the other end.

The socket stays for the life of the process, so that `pki_check` can ask how far the start has come.
"""

import contextlib
import json
import os
import pwd
import socket
import struct
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

import structlog
from django.db import connection

from pki.custodians.asking import LONGEST
from pki.custodians.entering import Entry, Refused

log = structlog.get_logger(__name__)

_CALLER_SECONDS = 10.0
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class Desk:
    """Serves an `Entry` at `path`. Raises OSError if the socket cannot be made.

    `custodians`: the users of the machine who may enter a share; empty: the user of this process only, as in a container. The
    socket's folder decides who reaches it at all.
    """

    def __init__(self, path: str, entry: Entry, custodians: Collection[str]) -> None:
        self._entry = entry
        self._custodians = frozenset(custodians)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()  # of a process that was killed
        self._listening.bind(path)
        Path(path).chmod(0o660)  # whatever the umask; nobody connects before `listen`
        self._listening.listen(4)
        threading.Thread(target=self._serve, name="custodians", daemon=True).start()

    def close(self) -> None:
        """Takes no more callers."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            # A thread for each, so that a caller who sends slowly keeps no custodian out.
            threading.Thread(target=self._serve_one, args=(line,), name="custodian", daemon=True).start()

    def _serve_one(self, line: socket.socket) -> None:
        with line, contextlib.suppress(OSError):
            line.settimeout(_CALLER_SECONDS)
            line.sendall(json.dumps(self._answer(line), ensure_ascii=False).encode() + b"\n")

    def _answer(self, line: socket.socket) -> dict[str, Any]:
        with line.makefile("rb") as questions:
            text = questions.readline(LONGEST)
        try:
            return self._answered(json.loads(text), _user(line))
        except Refused as refused:
            return {"taken": False, "complete": False, "text": str(refused)}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"taken": False, "complete": False, "text": "Frågan går inte att läsa."}
        except Exception:
            # The custodian gets an answer whatever happens. The question is not logged.
            log.exception("custodians.fault")
            return {"taken": False, "complete": False, "text": "Ett fel inträffade. Se loggen."}
        finally:
            connection.close()

    def _answered(self, question: dict[str, Any], user: str) -> dict[str, Any]:
        if question["act"] == "status":
            progress = self._entry.progress()
            return {"taken": False, "complete": progress.is_complete, "text": progress.text}
        if question["act"] != "enter":
            raise ValueError
        if user not in (self._custodians or {_name(os.getuid())}):
            log.warning("custodians.stranger", user=user)
            raise Refused("Du är inte nyckelhållare här (PKI_CUSTODIANS).")
        progress = self._entry.enter(str(question["share"]), user)
        return {"taken": True, "complete": progress.is_complete, "text": progress.text}


def _user(line: socket.socket) -> str:
    _pid, uid, _gid = _CREDENTIALS.unpack(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return _name(uid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"
