"""PAdES B-B signatures (ETSI EN 319 142-1) by a key that is not here: prepared now, signed elsewhere, filled in and checked.

The document never leaves: what is signed elsewhere are the CMS SignedAttrs, which hold its SHA-256 (RFC 5652 section 5.4).
pyHanko does the work and takes a third of a second to load, so it is loaded by the first call.
"""

from collections.abc import Sequence

from siths_portal.lib.pdf.pades_types import NotValid, Prepared, Signer

__all__ = ["NotValid", "Prepared", "Signer", "embed", "prepare", "validate"]


def prepare(pdf: bytes, signer: Signer, *, field_name: str) -> Prepared:
    """Adds an invisible signature field to `pdf` and makes what the signer must sign, committing to proof of receipt."""
    from siths_portal.lib.pdf import pades_pyhanko

    return pades_pyhanko.prepare(pdf, signer, field_name=field_name)


def embed(prepared: Prepared, signer: Signer, signature: bytes) -> bytes:
    """The signed file: `prepared` with the CMS that holds `signature` in its room. The signature is not checked here."""
    from siths_portal.lib.pdf import pades_pyhanko

    return pades_pyhanko.embed(prepared, signer, signature)


def validate(pdf: bytes, *, root: bytes, chain: Sequence[bytes]) -> None:
    """Passes if `pdf` holds exactly one signature that covers all of it, is intact and trusted under `root`. Raises NotValid.

    Asks nobody: the revocation of the certificate is the caller's to check, who has its issuer's own records.
    """
    from siths_portal.lib.pdf import pades_pyhanko

    pades_pyhanko.validate(pdf, root=root, chain=chain)
