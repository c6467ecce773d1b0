"""The custodian's side of the socket at which a process that starts takes shares. Needs neither database nor secret key."""

import json
import socket
from dataclasses import dataclass

SECONDS = 40.0
"""How long a caller waits: the second share logs in to the token."""
LONGEST = 4096


class NobodyAnswers(Exception):
    """No process takes shares at the socket, or this user may not use it. The message is Swedish."""


@dataclass(frozen=True)
class Reply:
    """What the process answers: whether it took the share, whether it has both, and a Swedish text."""

    taken: bool
    complete: bool
    text: str


def status(path: str) -> Reply:
    """Returns how far the start has come. Raises NobodyAnswers."""
    return _ask(path, {"act": "status"})


def enter(path: str, share: str) -> Reply:
    """Gives a share. Raises NobodyAnswers."""
    return _ask(path, {"act": "enter", "share": share})


def _ask(path: str, question: dict[str, str]) -> Reply:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(SECONDS)
            line.connect(path)
            line.sendall(json.dumps(question).encode() + b"\n")
            with line.makefile("rb") as answers:
                answer = json.loads(answers.readline(LONGEST))
        return Reply(bool(answer["taken"]), bool(answer["complete"]), str(answer["text"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NobodyAnswers(f"ingen process tar emot delar vid {path or 'PKI_SHARE_SOCKET'} ({type(error).__name__})") from None
