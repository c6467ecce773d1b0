"""PAdES B-B signatures (ETSI EN 319 142-1) by an external key: prepare the PDF, get a signature, embed it, validate the file.

The external signer does not get the document, but signs the CMS SignedAttrs with its SHA-256 (RFC 5652 section 5.4). pyHanko does
the work. It takes a third of a second to load, so the first call loads it.
"""

import datetime as dt
from collections.abc import Sequence

from siths_portal.lib.pdf.pades_types import NotValid, Prepared, Signer

__all__ = ["NotValid", "Prepared", "Signer", "embed", "prepare", "validate"]


def prepare(pdf: bytes, signer: Signer, *, field_name: str) -> Prepared:
    """Adds an invisible signature field to `pdf` and returns the attributes to sign, with the commitment proof of receipt."""
    from siths_portal.lib.pdf import pades_pyhanko

    return pades_pyhanko.prepare(pdf, signer, field_name=field_name)


def embed(prepared: Prepared, signer: Signer, signature: bytes) -> bytes:
    """Returns the signed file: `prepared` with the CMS that contains `signature`. Does not verify the signature."""
    from siths_portal.lib.pdf import pades_pyhanko

    return pades_pyhanko.embed(prepared, signer, signature)


def validate(
    pdf: bytes, *, root: bytes, chain: Sequence[bytes], moment: dt.datetime | None = None, signer: bytes | None = None
) -> None:
    """Raises NotValid unless `pdf` has exactly one signature, which covers the complete file, is intact and chains to `root`.

    Certificates must be valid at `moment`, now if it is None. With `signer` (DER) another signer's certificate is not accepted.
    Fetches no revocation information: the caller checks revocation in the issuer's own records.
    """
    from siths_portal.lib.pdf import pades_pyhanko

    pades_pyhanko.validate(pdf, root=root, chain=chain, moment=moment, signer=signer)
