"""The limits of PostgreSQL connections of each process (ADR 0352)."""

DEFAULT_PORTAL_WORKERS, MOST_PORTAL_WORKERS = 2, 32
"""Default and upper limit of the setting PORTAL_WORKERS, the number of the portal's processes."""

THREADS = {"portal": 8, "minasidor": 8, "status": 8, "api": 16}
"""The request threads of one process of each site. Each has one connection. `make run` and Compose start that many threads."""

OTHERS = {"worker": 8, "pki-worker": 8, "ocsp-publisher": 1, "beat": 1, "commands": 6}
"""The connections of the processes that serve no requests, and those reserved for operators' commands."""


def needed(portal_workers: int) -> int:
    """Returns the connections of all processes, with `portal_workers` processes of the portal and one of each other."""
    return (portal_workers - 1) * THREADS["portal"] + sum(THREADS.values()) + sum(OTHERS.values())
