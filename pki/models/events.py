"""What was done, and its chain."""

from django.db import models

from siths_portal.lib.audit import AuditSeal
from siths_portal.lib.events import AppendOnlyEvent


class Event(AppendOnlyEvent):
    """What was done in `pki`, by whom, when."""

    objects: "models.Manager[Event]" = models.Manager()

    class Meta(AppendOnlyEvent.Meta):
        abstract = False


class EventSeal(AuditSeal):
    """The audit chain of `pki`'s events."""

    class Meta(AuditSeal.Meta):
        abstract = False
