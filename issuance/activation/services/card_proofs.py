"""The proof that the transaction's card is in the eID app's reader: the card's certificates and a signature by the card key."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from issuance.activation.models import EidAppTransaction
from issuance.activation.services import card_certificates
from issuance.carriers.models import Carrier
from pki import service as pki
from siths_portal.lib.errors import Conflict, DomainError


@dataclass(frozen=True)
class Proof:
    """The app's proof of the card: its certificates (DER, by profile), and the card key's signature (ECDSA-Sig-Value).

    The key signs, with SHA-256, the canonical JSON of card_serial, ephemeral_key, handle, kind and origin.
    """

    card_serial: str = field(repr=False)
    certificates: Mapping[str, bytes] = field(repr=False)
    ephemeral_key: Mapping[str, str] = field(repr=False)
    origin: str
    signature: bytes = field(repr=False)


def own_certificates(carrier: Carrier) -> dict[str, set[bytes]]:
    """Returns the DER of the certificates that the card's supplier wrote on it, by profile, and of those of the same profiles
    that its holder has fetched.
    """
    found: dict[str, set[bytes]] = {}
    for view in pki.certificates(card_certificates.made_before(carrier)):
        found.setdefault(view.profile, set()).add(view.der or b"")
    return found


def proof_fault(
    row: EidAppTransaction, carrier: Carrier, handle: str, proof: Proof, certificates: Mapping[str, set[bytes]]
) -> DomainError | None:
    """Returns the error of a refused proof, or None if the transaction's own card signed it for this handle and origin.

    `certificates` are `own_certificates`: the app shows one of each profile. A fetch that was broken off may have left another
    one on the card than the portal knows to be the latest.
    """
    # A card whose keys are made later may have further certificates, of an earlier eID.
    later = card_certificates.of_eid(carrier)
    shown = {profile: der for profile, der in proof.certificates.items() if profile not in later}
    known = shown.keys() == certificates.keys() and all(der in certificates[profile] for profile, der in shown.items())
    if not hmac.compare_digest(proof.card_serial.encode(), carrier.card_serial.encode()) or not known:
        return Conflict("wrong-card", "Kortet i läsaren är inte rätt kort. Byt kort och försök igen.")
    if not card_proof(row, handle, proof).is_by(bytes(carrier.card_key_spki)):
        return Conflict("proof-refused", "Kortet kunde inte visa att det är rätt kort. Sätt i kortet och försök igen.")
    if not hmac.compare_digest(proof.origin.encode(), row.origin.encode()):
        return Conflict("wrong-origin", "Aktiveringen öppnades från en annan adress än portalens. Öppna appen från portalen.")
    return None


def is_by_another_card(row: EidAppTransaction, handle: str, proof: Proof) -> bool:
    """Returns whether another card of the portal signed the proof, for this handle and origin."""
    if not hmac.compare_digest(proof.origin.encode(), row.origin.encode()):
        return False
    others = Carrier.objects.exclude(pk=row.carrier_id).exclude(card_serial="").filter(card_serial=proof.card_serial)
    key = others.values_list("card_key_spki", flat=True).first()
    return key is not None and card_proof(row, handle, proof).is_by(bytes(key))


def card_proof(row: EidAppTransaction, handle: str, proof: Proof) -> pki.CardProof:
    """Returns the message that the card must have signed for this transaction, with the received signature."""
    claims = pki.CardClaims(
        card_serial=proof.card_serial, ephemeral_key=proof.ephemeral_key, handle=handle, kind=row.kind, origin=proof.origin
    )
    return pki.CardProof(claims.message(), proof.signature)
