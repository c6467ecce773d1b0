"""Which CAs repeat the nonce in OCSP responses (RFC 9654): a setting per CA, since each such response is signed separately."""

from django.db import transaction

from pki.authorities import ca_states
from pki.models import CertificateAuthority, Event, NoncePolicy
from siths_portal.lib.errors import Invalid


def set_policy(*, slug: str, generation: int, policy: str, actor_ref: str) -> CertificateAuthority:
    """Sets the CA's nonce policy, with one event if it changes; responders follow within seconds. Raises NotFound, Invalid."""
    if policy not in NoncePolicy.values:
        reason = f"Ange {' eller '.join(NoncePolicy.values)}."
        raise Invalid("nonce-policy", reason, fields={"policy": [reason]})
    with transaction.atomic(durable=True):
        ca = ca_states.locked(slug, generation)
        before = ca.nonce_policy
        if before != policy:
            ca.nonce_policy = policy
            ca.save(update_fields=["nonce_policy"])
            Event.record(
                actor_ref=actor_ref,
                action="authority.nonce_policy_changed",
                subject_type="certificate_authority",
                subject_ref=str(ca.id),
                facts={"slug": ca.slug, "generation": ca.generation, "from": before, "to": policy},
            )
    return ca
