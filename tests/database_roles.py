"""Database roles in tests: one that is a member of all, and connections as the real ones for attacks on one process."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
from django.conf import settings
from django.db import connection

from siths_portal.dev.private_services import ROLES
from siths_portal.wiring import privileges

TEST_ROLE = "siths_test"
"""A test process does what several processes do: its role is a member of theirs, and owns nothing."""
TEST_ROLE_SQL = f"CREATE ROLE {TEST_ROLE} LOGIN IN ROLE {', '.join(ROLES[1:])};"

# Besides append-only tables: what migrations keep from being removed.
_KEPT = (
    "pki_approvalrequest",
    "pki_caimport",
    "pki_ceremonyproposal",
    "pki_certificate",
    "pki_importfinding",
    "pki_keyceremony",
    "pki_massrevocation",
)


def let_tests_arrange(cursor: Any) -> None:
    """Lets the test's role change and remove rows that some process would have changed otherwise, to set a scene.

    Runs as the owner of the tables. Append-only tables and those that are kept stay as they are for the processes.
    """
    for table, kind in privileges.tables().items():
        if kind != "append_only" and table not in _KEPT:
            remove = "" if kind == "kept" else ", DELETE"
            cursor.execute(f'GRANT SELECT, INSERT, UPDATE{remove} ON "{table}" TO {TEST_ROLE}')


@contextlib.contextmanager
def connected_as(role: str) -> Iterator[Any]:
    """A cursor in the test's database as the role of this process (`portal`, `api`, `pki`, `worker`); commits at the end."""
    name, host = connection.settings_dict["NAME"], connection.settings_dict["OPTIONS"]["host"]
    opened = psycopg2.connect(dbname=name, user=settings.DATABASE_ROLES[role], host=host)
    with contextlib.closing(opened), opened, opened.cursor() as cursor:
        yield cursor


@contextlib.contextmanager
def acting_as(role: str) -> Iterator[None]:
    """Has the portal's own code in this thread connect as the role of this process."""
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict["USER"] = settings.DATABASE_ROLES[role]
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)
