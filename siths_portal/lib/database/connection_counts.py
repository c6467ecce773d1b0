"""How many connections to PostgreSQL the processes hold at most (ADR 0352)."""

DEFAULT_PORTAL_WORKERS, MOST_PORTAL_WORKERS = 2, 32
"""Processes of the portal: the default, and the most that the setting PORTAL_WORKERS may ask for."""

THREADS = {"portal": 8, "minasidor": 8, "status": 8, "api": 16}
"""Threads of one process of each site that run requests. Each keeps one connection. `make run` and Compose start as many."""

OTHERS = {"worker": 8, "pki-worker": 8, "ocsp-publisher": 1, "beat": 1, "commands": 6}
"""Connections of the processes without requests, and what is left for commands that operators run."""


def needed(portal_workers: int) -> int:
    """Returns the connections of all processes together, with so many processes of the portal and one of each other."""
    return (portal_workers - 1) * THREADS["portal"] + sum(THREADS.values()) + sum(OTHERS.values())
