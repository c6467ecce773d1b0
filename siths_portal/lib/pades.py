"""PAdES B-B signatures (ETSI EN 319 142-1) by a key that is not here: prepared now, signed elsewhere, filled in and checked.

The document never leaves: what is signed elsewhere are the CMS SignedAttrs, which hold its SHA-256 (RFC 5652 section 5.4).
pyHanko does the work and takes a third of a second to load, so it is loaded by the first call.
"""

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


def prepare(pdf: bytes, signer: Signer, *, field_name: str) -> Prepared:
    """Adds an invisible signature field to `pdf` and makes what the signer must sign, committing to proof of receipt."""
    from siths_portal.lib import pades_pyhanko

    return pades_pyhanko.prepare(pdf, signer, field_name=field_name)


def embed(prepared: Prepared, signer: Signer, signature: bytes) -> bytes:
    """The signed file: `prepared` with the CMS that holds `signature` in its room. The signature is not checked here."""
    from siths_portal.lib import pades_pyhanko

    return pades_pyhanko.embed(prepared, signer, signature)


def validate(pdf: bytes, *, root: bytes, chain: Sequence[bytes]) -> None:
    """Passes if `pdf` holds exactly one signature that covers all of it, is intact and trusted under `root`. Raises NotValid.

    Asks nobody: the revocation of the certificate is the caller's to check, who has its issuer's own records.
    """
    from siths_portal.lib import pades_pyhanko

    pades_pyhanko.validate(pdf, root=root, chain=chain)
