"""The implementation of `pades` with pyHanko."""

import asyncio
import datetime as dt
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from asn1crypto import algos, cms
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields, signers
from pyhanko.sign.ades.api import CAdESSignedAttrSpec, GenericCommitment
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers.pdf_byterange import PreparedByteRangeDigest
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko.sign.validation import SignatureCoverageLevel, validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from siths_portal.lib import clock
from siths_portal.lib.pdf.pades_types import NotValid, Prepared, Signer

HASH = "sha256"
# The mechanism (RFC 5754) and the maximum length of a signature, by key type.
_MECHANISMS = {"rsa": (f"{HASH}_rsa", 256), "ec": (f"{HASH}_ecdsa", 72)}
# The space for the CMS in hexadecimal: three certificates of at most 2 kB, a signature and the attributes.
_RESERVED = 2 * 10_000
# asn1crypto indexes attribute names at first use, which may be before pyHanko adds its own names.
cms.CMSAttributeType._reverse_map = {name: oid for oid, name in cms.CMSAttributeType._map.items()}
_COMMITMENT = CAdESSignedAttrSpec(commitment_type=GenericCommitment.PROOF_OF_RECEIPT.asn1)


def prepare(pdf: bytes, signer: Signer, *, field_name: str) -> Prepared:
    """See `pades.prepare`."""
    external = _external(signer)
    metadata = signers.PdfSignatureMetadata(
        field_name=field_name,
        md_algorithm=HASH,
        subfilter=fields.SigSeedSubFilter.PADES,
        cades_signed_attr_spec=_COMMITMENT,
    )
    pdf_signer = signers.PdfSigner(metadata, signer=external)
    writer = IncrementalPdfFileWriter(BytesIO(pdf))

    async def make() -> tuple[PreparedByteRangeDigest, Any, cms.CMSAttributes]:
        digest, _, output = await pdf_signer.async_digest_doc_for_signing(writer, bytes_reserved=_RESERVED)
        settings = PdfCMSSignedAttributes(cades_signed_attrs=_COMMITMENT)
        attributes = await external.signed_attrs(digest.document_digest, HASH, attr_settings=settings, use_pades=True)
        return digest, output, attributes

    digest, output, attributes = asyncio.run(make())
    content = output.getvalue()
    start, end = digest.reserved_region_start, digest.reserved_region_end
    return Prepared(content, (0, start, end, len(content) - end), digest.document_digest, attributes.dump())


def embed(prepared: Prepared, signer: Signer, signature: bytes) -> bytes:
    """See `pades.embed`."""
    external = _external(signer, signature)
    attributes = cms.CMSAttributes.load(prepared.signed_attributes)

    async def make() -> cms.ContentInfo:
        return await external.async_sign_prescribed_attributes(HASH, attributes)

    output = BytesIO(prepared.pdf)
    _, start, end, _ = prepared.byte_range
    PreparedByteRangeDigest(prepared.document_digest, start, end).fill_with_cms(output, asyncio.run(make()))
    return output.getvalue()


def validate(
    pdf: bytes, *, root: bytes, chain: Sequence[bytes], moment: dt.datetime | None = None, signer: bytes | None = None
) -> None:
    """See `pades.validate`."""
    context = ValidationContext(
        trust_roots=[_certificate(root)],
        other_certs=[_certificate(der) for der in chain],
        allow_fetching=False,
        revocation_mode="soft-fail",
        moment=moment or clock.now(),
    )
    try:
        signatures = PdfFileReader(BytesIO(pdf)).embedded_signatures
        if len(signatures) != 1:
            raise NotValid("not one signature")
        if signer is not None and signatures[0].signer_cert.dump() != signer:
            raise NotValid("another signer")
        usage = KeyUsageConstraints(key_usage={"non_repudiation"})
        status = validate_pdf_signature(signatures[0], context, key_usage_settings=usage)
    except (PdfError, SignatureValidationError, SigningError, ValueError) as error:
        raise NotValid(type(error).__name__) from None
    checks = {
        "intact": status.intact and status.valid,
        "trusted": status.trusted,
        "whole file": status.coverage == SignatureCoverageLevel.ENTIRE_FILE,
        "unmodified": status.modification_level in (None, ModificationLevel.NONE),
        "bottom line": status.bottom_line,
    }
    if failed := [name for name, kept in checks.items() if not kept]:
        raise NotValid(", ".join(failed))


def _external(signer: Signer, signature: bytes | None = None) -> signers.ExternalSigner:
    """Returns pyHanko's signer, with `signature` once it is known. The CMS leaves out the root, which the verifier has."""
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    store.register_multiple([_certificate(der) for der in signer.chain])
    certificate = _certificate(signer.certificate)
    mechanism, length = _MECHANISMS[certificate.public_key.algorithm]
    return signers.ExternalSigner(
        signing_cert=certificate,
        cert_registry=store,
        signature_value=signature or length,
        signature_mechanism=algos.SignedDigestAlgorithm({"algorithm": mechanism}),
        embed_roots=False,
    )


def _certificate(der: bytes) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(der)
