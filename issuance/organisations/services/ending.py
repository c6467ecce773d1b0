"""Closing an organisation that is no longer in use, and reopening it (ADR 0222)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from issuance.authz import Action, Actor, policy
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.following import ON_LEAVING_TOP, Follower
from issuance.organisations.services.tree import lock_tree
from issuance.records.services.editing import edit, lines
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid
from siths_portal.lib.registry import Registry

REASON_LIMIT = 500


@dataclass(frozen=True)
class Hindrance:
    """Rows that prevent closing an organisation. Several hindrances may have the same `kind`, which pages explain."""

    kind: str
    rows: Callable[[OuterRef], QuerySet[Any]]


HINDRANCES = Registry[Hindrance]()
"""Hindrances of the packages above. `hindrances` adds those of this package."""

ON_CLOSING = Registry[Follower]()
"""What other packages do when an organisation is closed, in the closing transaction."""


def hindrances(organisation_id: UUID) -> frozenset[str]:
    """Returns the kinds of hindrances to closing an organisation. One query.

    It returns no counts, because a count could reveal protected persons.
    """
    this = OuterRef("pk")
    rows: list[tuple[str, QuerySet[Any]]] = [
        ("issuing", IssuingArea.objects.filter(issuing_organisation=this)),
        ("sub_organisations", Organisation.objects.filter(parent=this, closed_at=None)),
        *((each.kind, each.rows(this)) for each in HINDRANCES),
    ]
    found = Organisation.objects.filter(pk=organisation_id).values_list(*(Exists(query) for _kind, query in rows)).get()
    return frozenset(kind for (kind, _query), hinders in zip(rows, found, strict=True) if hinders)


@transaction.atomic(durable=True)
def end_organisation(*, actor: Actor, organisation_id: UUID, reason: str) -> Organisation:
    """Closes an organisation and disconnects its offices. Its subscription fee ends today, and nobody can order in it.

    Its history, its HSA-id and past invoices are kept. Does nothing if it is already closed. An actor who may create an
    organisation in its place may close it. Raises NotFound, Forbidden, Invalid without a reason, Conflict if it is in use.
    """
    row = _locked(actor, organisation_id)
    reason = lines(reason, "reason", longest=REASON_LIMIT)
    if not reason:
        message = "Skriv varför organisationen avslutas."
        raise Invalid("reason", message, fields={"reason": [message]})
    if row.closed_at is not None:
        return row
    if hindrances(row.id):
        raise Conflict("organisation-in-use", "Organisationen används fortfarande. Ta först hand om det som står på sidan.")
    for follow in (*ON_CLOSING, *(ON_LEAVING_TOP if row.parent_id is None else ())):
        follow(actor, row)
    edit(
        row, version=row.version, changes={"closed_at": clock.now()}, actor=actor, action="organisation.closed",
        facts={"reason": reason},
    )  # fmt: skip
    return row


@transaction.atomic(durable=True)
def reopen_organisation(*, actor: Actor, organisation_id: UUID) -> Organisation:
    """Reopens a closed organisation in its old place, without offices and fee. Does nothing if it is open.

    Raises NotFound, Forbidden, Conflict if the organisation above it is closed.
    """
    row = _locked(actor, organisation_id)
    if row.closed_at is not None:
        edit(row, version=row.version, changes={"closed_at": None}, actor=actor, action="organisation.reopened")
    return row


def _locked(actor: Actor, organisation_id: UUID) -> Organisation:
    """Locks the tree and the row, so nothing is created below it, and checks that the actor may create organisations there."""
    lock_tree()
    rows = Organisation.objects.select_for_update(of=("self",)).select_related("area", "parent")
    row = policy.get(actor, Action.VIEW_CONFIGURATION, rows, organisation_id)
    require_place(actor, row)
    return row


def require_place(actor: Actor, row: Organisation) -> None:
    """Raises Forbidden unless the actor may create organisations in the place of `row`, whose area and parent are loaded.

    Raises Conflict if the organisation above is closed.
    """
    if row.parent is not None and row.parent.closed_at is not None:
        raise Conflict("parent-ended", "Organisationen ovanför är avslutad. Återuppta den först.")
    place, action = (row.parent, Action.CREATE_SUB_ORGANISATION) if row.parent else (row.area, Action.CREATE_ORGANISATION)
    if not policy.may(actor, action, place):
        raise Forbidden("forbidden", "Din behörighetsroll tillåter inte åtgärden.")
