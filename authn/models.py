"""Tables of `authn`: machine clients by the thumbprints of their certificates, stored answers, and the events."""

from django.db import models

from siths_portal.lib import clock, idempotency
from siths_portal.lib.audit import AuditSeal
from siths_portal.lib.events import AppendOnlyEvent
from siths_portal.lib.ids import new_id


class ClientKind(models.TextChoices):
    """What a machine client is: a card supplier, or another service that uses our APIs."""

    SUPPLIER = "supplier"
    SERVICE = "service"


class ServiceClient(models.Model):
    """A machine client. `client_ref` is its stable name towards the other applications; `seq` counts its events."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client_ref = models.CharField(max_length=63, unique=True)
    kind = models.CharField(max_length=16, choices=ClientKind.choices)
    name = models.CharField(max_length=200)
    active = models.BooleanField(default=True)
    seq = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)


class ClientCertificate(models.Model):
    """A certificate that proves a client: SHA-256 over its DER, lower-case hex. A revoked one keeps its row."""

    client = models.ForeignKey(ServiceClient, models.PROTECT, related_name="certificates")
    thumbprint = models.CharField(max_length=64, unique=True)
    added_at = models.DateTimeField(default=clock.now)
    revoked_at = models.DateTimeField(null=True)


class IdempotencyRecord(idempotency.Record):
    """A client's idempotency keys and the answers given to them."""


class Event(AppendOnlyEvent):
    """What was done to clients and their certificates."""


class EventSeal(AuditSeal):
    """The audit chain over `Event`."""
