"""Secrets sealed by the token (a card's PUK), the part for every process: receives a JWE, and its state can be read.

The worker's parts are `sealing` and `delivering`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.db import connection
from django.db.models import QuerySet

from pki.domain import jwe as jwe_format
from pki.domain.card_proof import card_key
from pki.models import Event, HsmKey, KeyFinding, KeyPurpose, Secret
from pki.secrets import deliveries
from pki.signals import secret_settled
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid, NotFound
from siths_portal.lib.processes import jobs

log = structlog.get_logger(__name__)


def secret_jwks() -> dict[str, list[dict[str, str]]]:
    """Returns the JWK Set (RFC 7517 section 5) of public keys that secrets may be encrypted to, the newest first."""
    return {"keys": [jwe_format.public_jwk(_public_key(key), key.key_id) for key in _keys().order_by("-created_at")]}


def _keys() -> QuerySet[HsmKey]:
    """Returns keys that secrets may be encrypted to: the token has confirmed them, and they are not retired.

    Only the role with the token writes the finding (ADR 0311), so a row from another process is never offered.
    """
    return HsmKey.objects.filter(purpose=KeyPurpose.SECRET_DERIVE, retired_at=None, finding=KeyFinding.AS_RECORDED)


@dataclass(frozen=True)
class SecretOutcome:
    """The outcome for a secret: its `SecretState`, and the reason code of a refused one."""

    state: str
    failure: str


def plan_secret(
    jwe: str,
    *,
    expected_header: Mapping[str, str],
    card_key_spki: bytes,
    owner_ref: str,
    actor_ref: str,
    field: str = "jwe",
) -> UUID:
    """Stores the JWE as received, in the caller's transaction, and wakes the worker that opens it; returns the secret's id.

    `expected_header` holds the values that its protected header must have, among them the card's `serial`. The worker delivers
    the secret only for a proof by the card key. Raises Invalid, for the field `field`, for faults that show without the token:
    not a JWE of this kind, or for a key that is not in `secret_jwks`. Raises ValueError for a card key that is not on P-256.
    """
    card_key(card_key_spki)
    try:
        parsed = jwe_format.parse(jwe)
    except jwe_format.MalformedJwe:
        raise Invalid(
            "jwe-malformed",
            "Den krypterade koden går inte att läsa. Skicka en JWE med ECDH-ES och A256GCM.",
            fields={field: ["Inte en JWE i kompakt form med ECDH-ES, A256GCM, kid och epk på P-256."]},
        ) from None
    if not _keys().filter(key_id=parsed.kid).exists():
        raise Invalid(
            "jwe-key-unknown",
            "Den krypterade koden är inte krypterad till vår nyckel. Hämta nyckeln igen.",
            fields={field: ["Nyckeln som kid anger finns inte."]},
        )
    secret = Secret.objects.create(
        owner_ref=owner_ref,
        expected_header=dict(expected_header),
        card_key_spki=card_key_spki,
        jwe=jwe,
        created_at=clock.now(),
    )
    _record(secret.id, "secret.received", actor_ref)
    jobs.enqueue("pki.open_secrets", queue="pki", secret_ids=[str(secret.id)])
    return secret.id


def secret_state(secret_id: UUID) -> str:
    """Returns the secret's `SecretState`. Raises NotFound."""
    state = Secret.objects.filter(id=secret_id).values_list("state", flat=True).first()
    if state is None:
        raise NotFound("secret-unknown", "Koden finns inte.")
    return state


def secret_outcomes(ids: Iterable[UUID]) -> dict[UUID, SecretOutcome]:
    """Returns the outcome for each of these secrets, by id, without unknown ids."""
    rows = Secret.objects.filter(id__in=list(ids)).values_list("id", "state", "failure")
    return {id_: SecretOutcome(state, failure) for id_, state, failure in rows}


def tell_settled(ids: list[UUID]) -> None:
    """Sends `secret_settled`. A failing listener is logged and does not stop the others."""
    for receiver, outcome in secret_settled.send_robust(sender=Secret, secret_ids=ids):
        if isinstance(outcome, Exception):
            log.error("secret_settled.listener_failed", listener=repr(receiver), error=type(outcome).__name__)


def destroy_secrets(owner_ref: str, *, actor_ref: str = "system:pki") -> int:
    """Overwrites every secret of the owner and their deliveries, in the caller's transaction; returns the number of secrets.

    Repeatable.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pki_destroy_secrets(%s, %s)", [owner_ref, clock.now()])
        destroyed = sorted(id_ for (id_,) in cursor.fetchall())
    for secret_id in destroyed:
        _record(secret_id, "secret.destroyed", actor_ref)
    deliveries.destroy_of_owner(owner_ref)
    return len(destroyed)


def _public_key(key: HsmKey) -> ec.EllipticCurvePublicKey:
    public = load_der_public_key(bytes(key.public_key_der))
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise TypeError("the key for secrets is not on an elliptic curve")
    return public


def _record(secret_id: UUID, action: str, actor_ref: str) -> None:
    Event.record(actor_ref=actor_ref, action=action, subject_type="secret", subject_ref=str(secret_id))
