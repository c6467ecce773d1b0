"""The types that `pades` and its pyHanko implementation share."""

from collections.abc import Sequence
from dataclasses import dataclass, field


class NotValid(Exception):
    """The signed file is not valid. The message names the failed check and contains nothing of the file."""


@dataclass(frozen=True)
class Signer:
    """The signer: the certificate of an RSA-2048 or P-256 key, and its issuers up to the root, all in DER.

    `embed` expects the signature in the form of `signatures.CARD_FORMAT`.
    """

    certificate: bytes = field(repr=False)
    chain: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True)
class Prepared:
    """A PDF with space for one signature. `byte_range` is the signed part: two pairs of offset and length (ISO 32000).

    `signed_attributes` is the DER SET OF to sign. It contains `document_digest`, the SHA-256 of the signed part.
    """

    pdf: bytes = field(repr=False)
    byte_range: tuple[int, int, int, int]
    document_digest: bytes = field(repr=False)
    signed_attributes: bytes = field(repr=False)
