"""Handles: rows that belong to one session, which reads them again by id. URLs contain only that id (ADR 0077)."""

from uuid import UUID

from django.db.models import Model, QuerySet

from issuance.authz import Actor, policy


def own[Row: Model](rows: QuerySet[Row], *, actor: Actor, session_id: UUID, handle_id: UUID) -> Row:
    """Returns the row with this id if the actor created it in this session.

    Raises NotFound for every other id, including rows that the actor created before a new login.
    """
    row = rows.filter(pk=handle_id, owner_ref=actor.ref, session_id=session_id).first()
    if row is None:
        raise policy.not_found()
    return row
