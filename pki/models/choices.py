"""Django choices for columns of `pki`, and the sets of states that rules use."""

from django.db import models


class CaState(models.TextChoices):
    """What a CA may do. Only `active` issues; `active`, `status_only` and `retired` publish status."""

    PLANNED = "planned"
    ACTIVE = "active"
    STATUS_ONLY = "status_only"
    OFFLINE = "offline"
    EXTERNAL = "external"
    RETIRED = "retired"
    COMPROMISED = "compromised"


ONLINE = [CaState.ACTIVE, CaState.STATUS_ONLY, CaState.RETIRED]
"""States in which a CA publishes status by itself."""
ANSWERING = [*ONLINE, CaState.EXTERNAL]
"""States in which a CA's delegated responder, if there is one, answers by OCSP."""


class SerialMode(models.TextChoices):
    """How a CA draws serial numbers: 48 bits of milliseconds and 72 random bits, or 127 random bits."""

    TIME_RANDOM = "time_random"
    RANDOM = "random"


class NoncePolicy(models.TextChoices):
    """What a CA's OCSP responses do with a request's nonce: omit it, or repeat it (RFC 9654), each signed separately."""

    IGNORE = "ignore"
    ECHO = "echo"


class CertificateStatus(models.TextChoices):
    """States of a certificate. `reserved` may already be signed; `revoked` is final; `failed` was provably never signed."""

    RESERVED = "reserved"
    ISSUED = "issued"
    REVOKED = "revoked"
    FAILED = "failed"


ANSWERED = [CertificateStatus.ISSUED, CertificateStatus.REVOKED]
"""Statuses that have OCSP responses."""


class SetState(models.TextChoices):
    """States of certificates that are issued together: in progress, all issued, or one not issued and so the others revoked."""

    OPEN = "open"
    WHOLE = "whole"
    BROKEN = "broken"


class RevocationReason(models.TextChoices):
    """Available reason codes, by their RFC 5280 section 5.3.1 names. `unspecified` omits the extension.

    `cACompromise` is only for CA certificates. `certificateHold` and `removeFromCRL` are missing: revocation is final.
    """

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    CA_COMPROMISE = "cACompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"


COMPROMISE = [RevocationReason.KEY_COMPROMISE, RevocationReason.CA_COMPROMISE]
"""Reasons that a revocation may be changed to, and then does not change again."""

HOLDER_REASONS = [reason for reason in RevocationReason if reason != RevocationReason.CA_COMPROMISE]
"""Reasons for certificates of subjects other than CAs."""


class RevocationChannel(models.TextChoices):
    """How a request for revocation came (rules/pki 4.2).

    `system`: a rule, or an operator at the command line, without another requester.
    """

    PORTAL = "portal"
    API = "api"
    PHONE = "phone"
    PAPER = "paper"
    SYSTEM = "system"


class MassRevocationState(models.TextChoices):
    """States of a mass revocation: `requested` until it is started with its approval; `publishing` makes the CRLs at the end."""

    REQUESTED = "requested"
    RUNNING = "running"
    STOPPED = "stopped"
    PUBLISHING = "publishing"
    FINISHED = "finished"


class CertIdHash(models.TextChoices):
    """Hash algorithm of an OCSP CertID (RFC 6960 section 4.1.1); the responder supports both."""

    SHA1 = "sha1"
    SHA256 = "sha256"


class SecretState(models.TextChoices):
    """States of a secret: as received, sealed under the KEK, refused for its header, destroyed."""

    RECEIVED = "received"
    SEALED = "sealed"
    REFUSED = "refused"
    DESTROYED = "destroyed"


class SealVersion(models.IntegerChoices):
    """The associated data of a seal: ROW binds row, owner and header; CARD_KEY also the card key whose proof opens it."""

    ROW = 1
    CARD_KEY = 2


class DeliveryState(models.TextChoices):
    """States of a delivery: requested, encrypted to its recipient, refused, destroyed."""

    REQUESTED = "requested"
    READY = "ready"
    REFUSED = "refused"
    DESTROYED = "destroyed"


class KeyPurpose(models.TextChoices):
    """The use of a key in the token."""

    CA = "ca"
    OCSP = "ocsp"
    KEK = "kek"
    SECRET_DERIVE = "secret-derive"  # noqa: S105  (a key's purpose, not a password)
    AUDIT = "audit-mac"
    AUDIT_HEAD = "audit-head"
    HEALTH = "health"


SERVICE_PURPOSES = (KeyPurpose.KEK, KeyPurpose.SECRET_DERIVE, KeyPurpose.AUDIT, KeyPurpose.AUDIT_HEAD, KeyPurpose.HEALTH)
"""Keys of the service itself, besides those of CAs and responders."""


class KeyProvenance(models.TextChoices):
    """Where a key was created: in the token, or in another system and moved into it at a ceremony (E2.13)."""

    GENERATED = "generated"
    IMPORTED = "imported"


class KeyFinding(models.TextChoices):
    """The inventory's result for a recorded key (E2.15)."""

    AS_RECORDED = "as-recorded"
    MISSING = "missing"
    DRIFTED = "drifted"


class ApprovalAction(models.TextChoices):
    """Acts of the PKI under dual control (rules/pki 7.1)."""

    CEREMONY = "ceremony"
    CA_STATE = "ca-state"
    MASS_REVOCATION = "mass-revocation"
    IMPORT = "import"


class ApprovalState(models.TextChoices):
    """States of a request: waiting, approved by enough persons, then used once; or rejected, withdrawn or too old."""

    OPEN = "open"
    APPROVED = "approved"
    USED = "used"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Decision(models.TextChoices):
    """An approver's decision."""

    APPROVED = "approved"
    REJECTED = "rejected"


class CeremonyState(models.TextChoices):
    """Progress of a ceremony. To finish one that is `running` or `failed`, execute the same file again."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class ImportState(models.TextChoices):
    """Progress of an import: certificates, then the old CRLs and requests on paper, then `finished`."""

    CERTIFICATES = "certificates"
    LISTS = "lists"
    FINISHED = "finished"
