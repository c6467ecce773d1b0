"""The portal's possession of the PUK of an ordered card."""

from collections.abc import Mapping
from enum import StrEnum


class PukState(StrEnum):
    """PENDING until the `pki` worker has opened the supplier's JWE. A REFUSED PUK must be sent again. NONE means a card without
    PUK.

    The state is empty before the card is produced, and if the card ended before its PUK was opened.
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
"""The reasons for refusing a PUK: the code, and its meaning for the supplier's engineers."""
