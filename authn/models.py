"""Tables of `authn`: sessions, log-ins, machine clients with their certificates, idempotency records, and events."""

from django.db import models

from siths_portal.lib import clock
from siths_portal.lib.audit.seals import AuditMacs, AuditSeal
from siths_portal.lib.events import AppendOnlyEvent
from siths_portal.lib.ids import new_id
from siths_portal.lib.rest import idempotency


class ClientKind(models.TextChoices):
    """The kind of a machine client: a card supplier, or another service that uses our APIs."""

    SUPPLIER = "supplier"
    SERVICE = "service"


class ServiceClient(models.Model):
    """A machine client. Other applications refer to it by `client_ref`, which never changes; `seq` counts its events.

    `certificate_subject` maps a subject attribute to the values allowed in certificates that the client orders (ADR 0138).
    `key_attestation` has `roots` (PEM) of a supplier's attestations of keys, and `required`; it is empty without roots.
    `push` is where a supplier takes orders by signed calls (`url`, and `keys` that it signs its answers with); empty for others.
    `letter_certificate` is the SHA-256 of the certificate whose key opens a supplier's PUK letters; empty if it prints none.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    client_ref = models.CharField(max_length=63, unique=True)
    kind = models.CharField(max_length=16, choices=ClientKind.choices)
    name = models.CharField(max_length=200)
    certificate_subject = models.JSONField(default=dict)
    key_attestation = models.JSONField(default=dict)
    push = models.JSONField(default=dict)
    letter_certificate = models.CharField(max_length=64, default="")
    active = models.BooleanField(default=True)
    seq = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)


class ClientCertificate(models.Model):
    """A client's certificate, by the SHA-256 of its DER in lower-case hex. A revoked certificate keeps its row.

    `not_after` is its end; null if the file has only its thumbprint.
    """

    client = models.ForeignKey(ServiceClient, models.PROTECT, related_name="certificates")
    thumbprint = models.CharField(max_length=64, unique=True)
    not_after = models.DateTimeField(null=True)
    added_at = models.DateTimeField(default=clock.now)
    revoked_at = models.DateTimeField(null=True)


class IdempotencyRecord(idempotency.Record):
    """A client's idempotency key with the stored response."""


class Session(models.Model):
    """A browser's session: a person's, or an anonymous one while a log-in is in progress (empty `subject_ref`).

    The table stores only the SHA-256 of the cookie's key, so that a reader of the table cannot use a session. `binding` is a MAC
    over key and person with a key outside the database, so that a writer of the table cannot give a session to another person.
    `means` and `credential_ref` are what they logged in with (those of `Subject`). `expires_at` is the absolute end; the idle end
    is computed from `last_seen_at`. An ended row is kept for some days without content, so that the log-in page can say why the
    session ended.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key_hash = models.CharField(max_length=64, unique=True)
    data = models.TextField(default="")
    subject_ref = models.CharField(max_length=80, default="")
    hsa_id = models.CharField(max_length=31, default="")
    binding = models.CharField(max_length=64, default="")
    means = models.CharField(max_length=20, default="", db_default="")
    credential_ref = models.CharField(max_length=80, default="", db_default="")
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
    """The time and HSA-id of a subject's last log-in. It outlives the sessions, which are deleted."""

    subject_ref = models.CharField(max_length=80, primary_key=True)
    hsa_id = models.CharField(max_length=31)
    at = models.DateTimeField()


class KeptForm(models.Model):
    """The form that a person was filling in when the session ended. Deleted when shown, at a log-out, or after two hours."""

    subject_ref = models.CharField(max_length=80, primary_key=True)
    path = models.CharField(max_length=2000)
    form = models.TextField()
    kept_at = models.DateTimeField(db_index=True)


CARD = "certificate"
"""The issuer of a log-in attempt with the certificate of a card in the person's own computer."""


class LogInAttempt(models.Model):
    """A log-in in progress at the identity provider: state (as SHA-256), nonce and PKCE verifier, bound to a browser's session.

    `face` is the site where it was begun and `issuer` the provider, or CARD; no other one can answer it. `next_path` is the page
    to return to. `organisation` is the organisation number in the HSA-id of a logged-in person who begins it, else empty. A used
    attempt is kept for some days to tell a replay from an unknown state.
    """

    state_hash = models.CharField(max_length=64, primary_key=True)
    session_id = models.UUIDField()
    face = models.CharField(max_length=20, default="", db_default="")
    issuer = models.CharField(max_length=255, default="", db_default="")
    nonce = models.CharField(max_length=64)
    verifier = models.CharField(max_length=64)
    next_path = models.CharField(max_length=2000)
    step_up = models.BooleanField()
    organisation = models.CharField(max_length=20, default="", db_default="")
    started_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["session_id"], condition=models.Q(used_at=None), name="authn_open_attempt"),
            models.Index(
                fields=["organisation", "started_at"], condition=~models.Q(organisation=""), name="authn_attempt_organisation"
            ),
        ]


class LogInTicket(models.Model):
    """What the log-in with a card's certificate gives the browser to take back to the site where the log-in was begun.

    The table has the ticket's SHA-256 only. It belongs to the attempt with `state_hash`, which gets one ticket, and to `face`.
    `certificate_ref` is the certificate's reference of the port `CardCertificates`. A ticket is used once, within a minute.
    """

    ticket_hash = models.CharField(max_length=64, primary_key=True)
    state_hash = models.CharField(max_length=64, unique=True)
    face = models.CharField(max_length=20)
    certificate_ref = models.CharField(max_length=80)
    issued_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True)


class UsedToken(models.Model):
    """The hash of a used ID token (issuer and `jti`) or authorization code. Neither is accepted twice (S02)."""

    digest = models.CharField(max_length=64, primary_key=True)
    used_at = models.DateTimeField(db_index=True)


class Event(AppendOnlyEvent):
    """An event of a machine client or its certificates, or of a person's log-in or session."""


class EventSeal(AuditSeal):
    """The audit chain over `Event`."""


class EventMacs(AuditMacs):
    """MACs over the seals, made with a key of the token."""
