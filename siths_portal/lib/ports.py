"""Where `wiring` puts the adapter of each port and services fetch it."""

from typing import Any, cast

_adapters: dict[type, Any] = {}


class PortNotConnected(RuntimeError):
    """No adapter was connected to the port."""


def connect(port: type, adapter: object) -> None:
    """Makes `adapter` the implementation of `port` in this process, instead of an earlier one."""
    _adapters[port] = adapter


def get[P](port: type[P]) -> P:
    """The adapter of `port`. Raises PortNotConnected if `wiring` connected none."""
    try:
        return cast(P, _adapters[port])
    except KeyError:
        raise PortNotConnected(port.__name__) from None
