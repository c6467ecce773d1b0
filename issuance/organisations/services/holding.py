"""Organisations that must not end while something is made in them."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection


def hold_organisations(organisation_ids: Iterable[UUID]) -> None:
    """Waits for an ending of the organisations, or lets it wait (ADR 0222), until the caller's transaction ends.

    By the lock that a row which refers to them takes anyway; what is read afterwards tells whether one has ended.
    """
    with connection.cursor() as cursor:
        wanted = sorted(set(organisation_ids))
        cursor.execute("SELECT 1 FROM issuance_organisation WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE", [wanted])
