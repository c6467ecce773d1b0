"""The registry of port adapters: `wiring` connects them, services get them."""

import threading
from collections.abc import Callable
from typing import Any, cast

_adapters: dict[type, Any] = {}
_wiring: Callable[[], None] | None = None
_lock = threading.RLock()  # reentrant, since `_wiring` calls `connect` in the same thread


class PortNotConnected(RuntimeError):
    """No adapter is connected to the port."""


def connect(port: type, adapter: object) -> None:
    """Makes `adapter` the implementation of `port` in this process. Replaces an earlier one."""
    wire()
    _adapters[port] = adapter


def connect_by(wiring: Callable[[], None]) -> None:
    """Sets the function that connects all ports at the first use of one. Most commands use none, and adapters load slowly."""
    global _wiring
    with _lock:
        _wiring = wiring


def wire() -> None:
    """Connects the ports if they are not connected. Services call it at start, so that they do not start with a wrong adapter."""
    global _wiring
    with _lock:
        wiring, _wiring = _wiring, None
        if wiring is None:
            return
        try:
            wiring()
        except BaseException:
            _wiring = wiring  # so that the next call raises too
            raise


def get[P](port: type[P]) -> P:
    """Returns the adapter of `port`. Raises PortNotConnected if none is connected."""
    wire()
    try:
        return cast(P, _adapters[port])
    except KeyError:
        raise PortNotConnected(port.__name__) from None
