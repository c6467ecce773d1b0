"""Whether the portal has the PUK of a card that is on order."""

from collections.abc import Mapping
from enum import StrEnum


class PukState(StrEnum):
    """PENDING until the `pki` worker has opened what the supplier sent; a REFUSED PUK must be sent again. NONE: a card without.

    An order has no state before its card is produced, nor if the card ended before its PUK was opened.
    """

    NONE = "none"
    PENDING = "pending"
    SEALED = "sealed"
    REFUSED = "refused"


REFUSALS: Mapping[str, str] = {
    "malformed": "not a JWE in compact form with ECDH-ES and A256GCM",
    "key-unknown": "encrypted to a key that is not in the key set",
    "not-decrypted": "the key of the key set does not decrypt it, or its content was changed",
    "header-mismatch": "the protected header has another order or serial",
    "format": "the content is not a PUK in digits",
}
"""Why a PUK is refused: the code, and what it means to the supplier's engineers."""
