"""Tables of `authn`: people's sessions, machine clients by their certificates' thumbprints, stored answers, and the events."""

from django.db import models

from siths_portal.lib import clock
from siths_portal.lib.audit.seals import AuditMacs, AuditSeal
from siths_portal.lib.events import AppendOnlyEvent
from siths_portal.lib.ids import new_id
from siths_portal.lib.rest import idempotency


class ClientKind(models.TextChoices):
    """What a machine client is: a card supplier, or another service that uses our APIs."""

    SUPPLIER = "supplier"
    SERVICE = "service"


class ServiceClient(models.Model):
    """A machine client. `client_ref` is its stable name towards the other applications; `seq` counts its events.

    `certificate_subject` holds by attribute the values that subjects of the certificates that it orders may have (ADR 0138).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client_ref = models.CharField(max_length=63, unique=True)
    kind = models.CharField(max_length=16, choices=ClientKind.choices)
    name = models.CharField(max_length=200)
    certificate_subject = models.JSONField(default=dict)
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


class Session(models.Model):
    """A browser's session: somebody's, or nobody's while a log-in is under way (`subject_ref` empty).

    The cookie's key is stored as its SHA-256 only, so that who reads the table cannot use a session. `binding` is a MAC over key
    and person by a key outside the database, so that who writes the table cannot make a session another person's. `expires_at` is
    the absolute end; the idle end follows from `last_seen_at`. An ended row stays a while, to tell its browser why, without
    content.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key_hash = models.CharField(max_length=64, unique=True)
    data = models.TextField(default="")
    subject_ref = models.CharField(max_length=80, default="")
    hsa_id = models.CharField(max_length=31, default="")
    binding = models.CharField(max_length=64, default="")
    display_name = models.CharField(max_length=210, default="")
    unit_name = models.CharField(max_length=200, default="")
    id_token = models.TextField(default="")
    created_at = models.DateTimeField()
    authenticated_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=20, default="")

    class Meta:
        indexes = [
            models.Index(
                fields=["subject_ref"],
                condition=models.Q(ended_at=None) & ~models.Q(subject_ref=""),
                name="authn_session_of_subject",
            ),
            models.Index(fields=["expires_at"], name="authn_session_age"),
        ]


class LastLogIn(models.Model):
    """When a subject last logged in, and as which HSA-id; sessions themselves are forgotten."""

    subject_ref = models.CharField(max_length=80, primary_key=True)
    hsa_id = models.CharField(max_length=31)
    at = models.DateTimeField()


class KeptForm(models.Model):
    """What a person was filling in when the session ended: one form, deleted when shown, at a log-out, or after two hours."""

    subject_ref = models.CharField(max_length=80, primary_key=True)
    path = models.CharField(max_length=2000)
    form = models.TextField()
    kept_at = models.DateTimeField(db_index=True)


class LogInAttempt(models.Model):
    """A log-in under way at the identity provider: state (as SHA-256), nonce and PKCE verifier, bound to one browser's session.

    `next_path` is the page to come back to. Used once, then kept a while so that a replay can be told from an unknown state.
    """

    state_hash = models.CharField(max_length=64, primary_key=True)
    session_id = models.UUIDField()
    nonce = models.CharField(max_length=64)
    verifier = models.CharField(max_length=64)
    next_path = models.CharField(max_length=2000)
    step_up = models.BooleanField()
    started_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["session_id"], condition=models.Q(used_at=None), name="authn_open_attempt")]


class UsedToken(models.Model):
    """An ID token (issuer and `jti`) or authorization code that was used: neither is taken twice (S02). Only hashes are kept."""

    digest = models.CharField(max_length=64, primary_key=True)
    used_at = models.DateTimeField(db_index=True)


class Event(AppendOnlyEvent):
    """What was done to clients and their certificates, and people's log-ins: begun, refused and ended sessions."""


class EventSeal(AuditSeal):
    """The audit chain over `Event`."""


class EventMacs(AuditMacs):
    """MACs by a key of the token over the seals."""
