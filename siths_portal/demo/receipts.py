"""Verifies an activation receipt as a third party would: by the signature in the file and a trusted root."""

import io
from collections.abc import Sequence

from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import SignatureCoverageLevel, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext


class ReceiptFault(RuntimeError):
    """The receipt is not valid. The message says which check failed."""


def check(pdf: bytes, *, signer: x509.Certificate, root: x509.Certificate, intermediates: Sequence[x509.Certificate]) -> None:
    """Raises ReceiptFault unless the PDF has one PAdES B-B signature (ETSI EN 319 142-1) of `signer`, which chains to `root`.

    The signature must cover the complete file. Revocation is not checked: a receipt remains valid if its card is revoked later.
    """
    reader = PdfFileReader(io.BytesIO(pdf))
    signatures = reader.embedded_signatures
    if len(signatures) != 1:
        raise ReceiptFault(f"{len(signatures)} signatures")
    (signature,) = signatures
    if signature.sig_object.raw_get("/SubFilter") != "/ETSI.CAdES.detached":
        raise ReceiptFault("not PAdES")
    context = ValidationContext(
        trust_roots=[_asn1(root)], other_certs=[_asn1(one) for one in intermediates], allow_fetching=False
    )
    status = validate_pdf_signature(signature, context)
    if not status.bottom_line:
        raise ReceiptFault(status.summary())
    if status.coverage != SignatureCoverageLevel.ENTIRE_FILE:
        raise ReceiptFault(f"covers {status.coverage}")
    if status.signing_cert.dump() != signer.public_bytes(Encoding.DER):
        raise ReceiptFault("signed with another certificate")


def _asn1(certificate: x509.Certificate) -> asn1.Certificate:
    return asn1.Certificate.load(certificate.public_bytes(Encoding.DER))
