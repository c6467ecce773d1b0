"""Where `wiring` puts the adapter of each port and services fetch it."""

import threading
from collections.abc import Callable
from typing import Any, cast

_adapters: dict[type, Any] = {}
_wiring: Callable[[], None] | None = None
_lock = threading.RLock()  # `_wiring` itself connects, in the thread that calls it


class PortNotConnected(RuntimeError):
    """No adapter was connected to the port."""


def connect(port: type, adapter: object) -> None:
    """Makes `adapter` the implementation of `port` in this process, instead of an earlier one."""
    wire()
    _adapters[port] = adapter


def connect_by(wiring: Callable[[], None]) -> None:
    """Has `wiring` connect the ports when the first is used: most commands use none, and adapters bring much to load."""
    global _wiring
    with _lock:
        _wiring = wiring


def wire() -> None:
    """Connects the ports if that is yet to be done. Who serves calls it at once: with a wrong adapter nobody must start."""
    global _wiring
    with _lock:
        wiring, _wiring = _wiring, None
        if wiring is None:
            return
        try:
            wiring()
        except BaseException:
            _wiring = wiring  # the next who asks shall hear of it too
            raise


def get[P](port: type[P]) -> P:
    """The adapter of `port`. Raises PortNotConnected if `wiring` connected none."""
    wire()
    try:
        return cast(P, _adapters[port])
    except KeyError:
        raise PortNotConnected(port.__name__) from None
