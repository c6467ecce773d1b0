"""Responses that leave a site in one piece.

granian sends a list together with the head of the response. It reads what else can be iterated after it has sent the head. A
process that is killed in between leaves half a response, which the proxy has passed on and cannot get from another process.
"""

from collections.abc import Iterable
from typing import Any


def whole(response: Any) -> Iterable[bytes]:
    """Returns what a WSGI application returns for Django's response.

    If the response is not streamed, this is a list with its body, and the response is closed: the server closes no list.
    """
    if response.streaming:
        return response  # type: ignore[no-any-return]
    try:
        return list(response)
    finally:
        response.close()
