"""Events of `pki`, and their audit chain."""

from django.db import models

from siths_portal.lib.audit.seals import AuditMacs, AuditSeal
from siths_portal.lib.events import AppendOnlyEvent


class Event(AppendOnlyEvent):
    """An act in `pki`: what, by whom, when."""

    objects: "models.Manager[Event]" = models.Manager()

    class Meta(AppendOnlyEvent.Meta):
        abstract = False


class EventSeal(AuditSeal):
    """The audit chain of `pki`'s events."""

    class Meta(AuditSeal.Meta):
        abstract = False


class EventMacs(AuditMacs):
    """MACs over the seals of `pki`, by a key of the token."""

    class Meta(AuditMacs.Meta):
        abstract = False


class ClockMark(models.Model):
    """The latest second for which something was signed, in one row (rules/pki 8.1).

    A clock that is much earlier has gone back.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    produced_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="pki_clockmark_one")]
