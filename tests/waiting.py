"""Waiting for what other processes do: long enough for a machine that has much else to do, and no longer than it takes."""

from collections.abc import Callable

from siths_portal.dev import progress


def wait_for(
    ready: Callable[[], bool],
    what: str = "what the test waits for",
    *,
    seconds: float = 150,
    alive: Callable[[], None] | None = None,
) -> None:
    """Until it is so. Raises HouseError after `seconds`, and what `alive` raises when waiting is in vain."""
    progress.wait_for(ready, what, seconds=seconds, alive=alive)
