"""Versions of an organisation's request for a card customisation, for optimistic locking (ADR 0189, 0180)."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from issuance.customisations.models import CustomisationRequest
from issuance.organisations.models import Organisation
from issuance.records.models.events import Event
from issuance.records.services.editing import Change, Outdated

REQUESTED, CLOSED = "organisation.customisation_requested", "organisation.customisation_request_closed"
REQUEST_COLUMNS = ("back_text", "logotype_note")
"""The columns of a request. Events have those that are not empty."""


def request_version(organisation_id: UUID) -> int:
    """Returns how often the organisation's request was stored or closed. Forms submit it to detect conflicts."""
    return _events(organisation_id).count()


def require_seen(organisation: Organisation, version: int | None) -> None:
    """Raises Outdated if the request was stored or closed after `version`; None skips the check. The organisation is locked.

    The error has the changes since; its `now` is empty if there is no open request.
    """
    newest = request_version(organisation.pk)
    if version is None or version == newest:
        return
    open_request = CustomisationRequest.objects.filter(organisation=organisation, answered_at=None).first()
    now = {name: getattr(open_request, name) for name in REQUEST_COLUMNS} if open_request else {}
    raise Outdated(newest, _changes_since(organisation.pk, version), now)


def _changes_since(organisation_id: UUID, version: int) -> Iterator[Change]:
    """Yields the changes of the request after `version`, oldest first: new texts, and the moment of each closing."""
    previous: dict[str, Any] = {}
    for number, event in enumerate(_events(organisation_id).order_by("id"), start=1):
        written = {name: event.facts.get(name, "") for name in REQUEST_COLUMNS} if event.action == REQUESTED else {}
        if number > version:
            for name in written:
                before = previous.get(name, "")
                if written[name] != before:
                    yield Change(event.at, event.actor_ref, name, before, written[name])
            if not written:
                yield Change(event.at, event.actor_ref, "wish_ended_at", None, event.at.isoformat())
        previous = written


def _events(organisation_id: UUID) -> QuerySet[Event]:
    return Event.objects.filter(subject_type="organisation", subject_ref=str(organisation_id), action__in=(REQUESTED, CLOSED))
