"""The audit of issuance: one event table, its seals, and the bytes that belong to records."""

from django.db import models
from django.db.models.fields.json import KeyTransform

from siths_portal.lib import events
from siths_portal.lib.audit import seals
from siths_portal.lib.database import documents

NAMING_AN_ORGANISATION = ("office", "customisation")
"""Subjects whose events may name an organisation in their facts, and stand in its history too."""

ROLE_ACTIONS = ("role.assigned", "role.changed", "role.ended")
"""What is done to a person's role. Such events name the grant, and stand in the history of the place where it holds too."""

QUALIFICATION_ACTIONS = ("qualification.recorded", "qualification.withdrawn")
"""What is done to a record of training or person check."""

REVOKING_ACTIONS = ("carrier.revoked", "eid.revoked")
"""What counts towards an officer's limit of revocations (ADR 0297)."""

EXTENDED_SEARCH = "search.extended"
"""The action of a search outside the searcher's scope."""

SUSPECTED_SEARCHES, SEARCHER = "search.suspected", "searcher"
"""The action of noting that a person's searches look like harvesting, and the type of its subject, which is who searched."""


class Event(events.AppendOnlyEvent):
    """What was done in issuance. Subjects: carrier, eid, order (with `subject_seq`), person, organisation and the like."""

    class Meta(events.AppendOnlyEvent.Meta):
        abstract = False
        indexes = [
            *events.AppendOnlyEvent.Meta.indexes,
            models.Index(fields=["xid", "id"], name="issuance_event_sent", condition=models.Q(action="order.sent")),
            models.Index(
                KeyTransform("organisation", "facts"),
                "id",
                name="issuance_event_organisation",
                condition=models.Q(subject_type__in=NAMING_AN_ORGANISATION),
            ),
            models.Index(
                KeyTransform("grant", "facts"), "id", name="issuance_event_grant", condition=models.Q(action__in=ROLE_ACTIONS)
            ),
            models.Index(
                fields=["actor_ref", "at"], name="issuance_event_revoking", condition=models.Q(action__in=REVOKING_ACTIONS)
            ),
            models.Index(fields=["actor_ref", "id"], name="issuance_event_extended", condition=models.Q(action=EXTENDED_SEARCH)),
        ]


class EventSeal(seals.AuditSeal):
    """The audit chain over `Event`."""


class EventMacs(seals.AuditMacs):
    """MACs by a key of the token over the seals."""


class Document(documents.Document):
    """Logotypes and receipts: bytes in the transaction of their record, never changed."""
