"""What `pades` and its pyHanko implementation exchange."""

from collections.abc import Sequence
from dataclasses import dataclass, field


class NotValid(Exception):
    """The finished file is not what it must be. The text says which check failed and holds nothing of the content."""


@dataclass(frozen=True)
class Signer:
    """Whose signature: certificate of an RSA-2048 or P-256 key, and its issuers up to the root, all DER.

    `embed` takes the signature in the form of `signatures.CARD_FORMAT`.
    """

    certificate: bytes = field(repr=False)
    chain: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True)
class Prepared:
    """A PDF with room for one signature. `byte_range` is what is signed of it: two pairs of offset and length (ISO 32000).

    `signed_attributes` is the DER SET OF to sign; it holds `document_digest`, the SHA-256 of those bytes.
    """

    pdf: bytes = field(repr=False)
    byte_range: tuple[int, int, int, int]
    document_digest: bytes = field(repr=False)
    signed_attributes: bytes = field(repr=False)
