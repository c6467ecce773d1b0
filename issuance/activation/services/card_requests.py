"""The requests of cards for certificates of keys that were made on them (rules/issuance 5.7), as the `pki` worker reads them."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from issuance.activation.domain.transaction_states import TransactionKind, TransactionState
from issuance.activation.models import CertificateRequest, EidAppTransaction
from issuance.activation.services import transactions
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex


@dataclass(frozen=True)
class Certified:
    """The certificates (DER, by profile) to be written on the card, and what is then signed with the new key: the receipt of an
    activation, or the statement by which a holder confirms a fetched eID.
    """

    certificates: Mapping[str, bytes] = field(repr=False)
    pdf: bytes = field(default=b"", repr=False)
    byte_range: tuple[int, ...] = ()
    signed_attributes: bytes = field(default=b"", repr=False)
    statement: bytes = field(default=b"", repr=False)


def message(transaction: EidAppTransaction, csrs: Mapping[str, bytes]) -> bytes:
    """Returns the bytes that the card key signs: canonical JSON of the SHA-256 of the handle and of each request (DER)."""
    hashes = {profile: sha256_hex(der) for profile, der in csrs.items()}
    return canonical_json({"csrs": hashes, "handle_sha256": transaction.handle_sha256})


def is_proven(transaction: EidAppTransaction, carrier: Carrier, csrs: Mapping[str, bytes], signature: bytes) -> bool:
    """Returns whether the card's key signed the requests for this transaction."""
    return pki.CardProof(message(transaction, csrs), signature).is_by(bytes(carrier.card_key_spki))


def csrs_of(request: CertificateRequest) -> dict[str, bytes]:
    """Returns the requests (DER) by profile."""
    return {profile: base64.b64decode(text) for profile, text in request.csrs.items()}


def refusal(request: CertificateRequest) -> str:
    """Returns a reason code if the request must not be certified: its card, eID or transaction is not waiting for it, or the card
    key has not signed it for its transaction. Else "".
    """
    row, eid = request.transaction, request.eid
    carrier, fetches = row.carrier, request.eid_order_id is not None
    kind = TransactionKind.FETCH if fetches else TransactionKind.ACTIVATE
    if row.kind != kind or row.eid_order_id != request.eid_order_id:
        return "transaction-kind"
    if transactions.state_now(row) is not TransactionState.STARTED:
        return "transaction-state"
    waits_in = CarrierState.ACTIVE if fetches else CarrierState.RESERVED
    if eid.carrier_id != carrier.pk or eid.state != EidState.ORDERED or carrier.state != waits_in:
        return "card-state"
    if eid.valid_to is None or eid.valid_to <= clock.now():
        return "validity"
    return "" if is_proven(row, carrier, csrs_of(request), bytes(request.signature)) else "proof-refused"
