"""The audit trail of issuance: one event table, its seals, and the documents that belong to records."""

from django.db import models
from django.db.models.fields.json import KeyTransform

from siths_portal.lib import events
from siths_portal.lib.audit import seals
from siths_portal.lib.database import documents

NAMING_AN_ORGANISATION = ("office", "customisation")
"""Subject types whose events may have an organisation's id in their facts. That organisation's history shows such events too."""

ROLE_ACTIONS = ("role.assigned", "role.changed", "role.ended")
"""Actions on a person's role.

The facts of such events have the grant's id, and the history of the grant's place shows them too.
"""

QUALIFICATION_ACTIONS = ("qualification.recorded", "qualification.withdrawn")
"""Actions on a record of training or of a person check."""

REVOKING_ACTIONS = ("carrier.revoked", "eid.revoked")
"""Actions that count towards an officer's limit of revocations (ADR 0297)."""

OWN_DAY_ACTIONS = ("person.shown", "carrier.ordered", "carrier.revoked", "eid.revoked", "eid_order.ordered")
"""Actions by which Dagen tells what a user did today."""

EXTENDED_SEARCH = "search.extended"
"""The action of a search outside the searcher's scope."""

SUSPECTED_SEARCHES, SEARCHER = "search.suspected", "searcher"
"""The action recorded if a person's searches look like harvesting, and its subject type: the person who searched."""


class Event(events.AppendOnlyEvent):
    """An audit event. Subjects are carrier, eid, order (with `subject_seq`), person, organisation and the like."""

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
            models.Index(
                fields=["actor_ref", "at"], name="issuance_event_own_day", condition=models.Q(action__in=OWN_DAY_ACTIONS)
            ),
            # For the news of the nightly comparison (rules/issuance 7.11).
            models.Index(fields=["at"], name="issuance_event_person_news", condition=models.Q(action="person.changed")),
            models.Index(fields=["actor_ref", "id"], name="issuance_event_extended", condition=models.Q(action=EXTENDED_SEARCH)),
        ]


class EventSeal(seals.AuditSeal):
    """The audit chain over `Event`."""


class EventMacs(seals.AuditMacs):
    """MACs over the seals, made with a key in the HSM."""


class Document(documents.Document):
    """Logotypes and receipts. The bytes are stored in the transaction of their record and never change."""
