"""The limits of PostgreSQL connections of each process (ADR 0352), from the table of processes."""

from siths_portal.lib.processes.table import BY_NAME, PROCESSES

COMMANDS = 6
"""The connections that are reserved for operators' commands."""


def needed(portal_workers: int) -> int:
    """Returns the connections of all processes, with `portal_workers` processes of the portal and one of each other."""
    more = (portal_workers - 1) * BY_NAME["portal"].connections
    return more + sum(process.connections for process in PROCESSES) + COMMANDS
