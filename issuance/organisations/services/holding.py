"""A lock that keeps organisations open while a transaction creates something in them."""

from collections.abc import Iterable
from uuid import UUID

from django.db import connection


def hold_organisations(organisation_ids: Iterable[UUID]) -> None:
    """Locks the organisations against closing (ADR 0222) until the caller's transaction ends.

    Uses the row lock of a foreign key reference. The caller then reads whether an organisation was already closed.
    """
    with connection.cursor() as cursor:
        organisation_ids_sorted = sorted(set(organisation_ids))
        cursor.execute(
            "SELECT 1 FROM issuance_organisation WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE", [organisation_ids_sorted]
        )
