"""Approvals of a ceremony: detached CMS signatures over its file, by the approvers in the file (rules/pki 7.2).

A signature is used once, since a file is executed once.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings

from pki.approvals import dual_control
from pki.domain import keys
from pki.domain.ceremony_file import Approver, CeremonyFile
from pki.domain.detached_cms import NotSigned, Signature, key_fault, verify
from pki.models import ApprovalAction, ApprovalRequest, CeremonySignature, Decision
from pki.ocsp import status
from siths_portal.lib import clock
from siths_portal.lib.certificates.unreadable import UNREADABLE
from siths_portal.lib.errors import Conflict, Invalid

FUTURE = dt.timedelta(minutes=5)
"""The tolerance for an approver's computer with a fast clock."""
SUFFIX = ".p7s"


@dataclass(frozen=True)
class Known:
    """An approver in the file, with the certificate."""

    approver: Approver
    certificate: x509.Certificate = field(repr=False)

    @property
    def certificate_sha256(self) -> str:
        """Returns the hash of the certificate's DER, in hex."""
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()


@dataclass(frozen=True)
class Given:
    """A verified approval."""

    known: Known
    signature: Signature

    @property
    def certificate_der(self) -> bytes:
        """Returns the approver's certificate in DER."""
        return self.known.certificate.public_bytes(Encoding.DER)


def folder(ceremony: CeremonyFile) -> Path:
    """Returns the folder that has this file's approvals if the caller passes none: one `.p7s` a person."""
    return Path(settings.PKI_CEREMONY_DIR) / "approvals" / ceremony.sha256


def stored(ceremony: CeremonyFile) -> dict[str, bytes]:
    """Returns the approvals registered in the portal, by person, and those in `folder`, by file name; each once."""
    registered = CeremonySignature.objects.filter(proposal__file_sha256=ceremony.sha256, proposal__withdrawn_at=None)
    found = {f"i portalen av {each.approver_ref}": bytes(each.signature) for each in registered.order_by("id")}
    files = {path.name: path.read_bytes() for path in sorted(folder(ceremony).glob(f"*{SUFFIX}"))}
    return found | {name: content for name, content in files.items() if content not in found.values()}


def approvers(ceremony: CeremonyFile) -> list[Known]:
    """Returns the file's approvers with their certificates. Raises Invalid if a certificate is missing or not the file's."""
    found = [Known(each, _certificate(each, number)) for number, each in enumerate(ceremony.approvers, 1)]
    if len({keys.spki_sha256(each.certificate.public_key()) for each in found}) < len(found):
        raise Invalid("ceremony-approvers", "Två av filens godkännare har samma nyckel. Var och en ska ha sin egen.")
    return found


def _certificate(approver: Approver, number: int) -> x509.Certificate:
    whose = f"Certifikatet för godkännare {number}"
    try:
        # A relative path is relative to the ceremonies' folder.
        pem = approver.pem.encode() or (Path(settings.PKI_CEREMONY_DIR) / approver.file).read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        fault = key_fault(certificate)
    except OSError:
        raise Invalid("ceremony-approvers", f"{whose} finns inte i {approver.file}.") from None
    except UNREADABLE:
        raise Invalid("ceremony-approvers", f"{whose} går inte att läsa som PEM.") from None
    if fault:
        raise Invalid("ceremony-approvers", f"{whose} går inte att använda: {fault}.")
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    if approver.certificate_sha256 not in ("", digest):
        raise Invalid("ceremony-approvers", f"{whose} är ett annat än det som filen anger.")
    return certificate


def check(ceremony: CeremonyFile, signatures: Mapping[str, bytes]) -> list[Given]:
    """Verifies the approvals, given by their names in messages, and returns them if they are enough. One fault refuses all.

    Raises Invalid for an invalid signature, and Conflict for too few.
    """
    known = approvers(ceremony)
    given: list[Given] = []
    for name, signature in signatures.items():
        one = check_one(ceremony, known, name, signature)
        if any(other.known == one.known for other in given):
            raise Invalid("ceremony-approval", f"Godkännandet {name}: samma person har redan lämnat sitt.")
        given.append(one)
    if len(given) < ceremony.required:
        raise Conflict(
            "ceremony-not-approved",
            f"Ceremonin kräver {ceremony.required} godkännanden och har {len(given)}. Godkännare signerar filen, "
            "se pki_ceremony --plan.",
        )
    return given


def check_one(ceremony: CeremonyFile, known: Sequence[Known], name: str, content: bytes) -> Given:
    """Verifies and returns one approval by one of `known`. Raises Invalid, with `name` in the message, if it is not valid now."""
    try:
        signature = verify(content, ceremony.text.encode(), [each.certificate for each in known])
        (fault,) = faults([(signature.certificate, signature.signed_at)])
        if fault:
            raise NotSigned(fault)
    except NotSigned as error:
        raise Invalid("ceremony-approval", f"Godkännandet {name}: {error}.") from None
    certificate = signature.certificate
    return Given(next(each for each in known if each.certificate == certificate), signature)


def faults(given: Sequence[tuple[x509.Certificate, dt.datetime | None]]) -> list[str]:
    """Returns why each approval is not valid now, in Swedish, or "" if it is. Uses one query.

    An approval is the approver's certificate and the time of signing, None before the signature.
    """
    ders = [certificate.public_bytes(Encoding.DER) for certificate, _signed_at in given]
    revoked = status.revoked(ders)
    return [_fault(*each, is_revoked=der in revoked) for each, der in zip(given, ders, strict=True)]


def _fault(certificate: x509.Certificate, signed_at: dt.datetime | None, *, is_revoked: bool) -> str:
    now = clock.now()
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return "godkännarens certifikat gäller inte nu"
    if is_revoked:
        return "godkännarens certifikat är spärrat"
    if signed_at is not None and signed_at > now + FUTURE:
        return "underskriften är gjord i framtiden"
    if signed_at is not None and signed_at < now - dual_control.LIFETIME:
        return f"underskriften är äldre än {dual_control.LIFETIME.days} dagar"
    return ""


def document(ceremony: CeremonyFile, known: Sequence[Known]) -> dict[str, Any]:
    """Returns the document that is approved: the hash of the file, and its approvers."""
    return {
        "ceremony": ceremony.title,
        "environment": ceremony.environment,
        "file_sha256": ceremony.sha256,
        "required": ceremony.required,
        "approvers": [
            {"ref": each.approver.ref, "name": each.approver.name, "certificate_sha256": each.certificate_sha256}
            for each in known
        ],
    }


def record(ceremony: CeremonyFile, given: Sequence[Given], *, actor_ref: str) -> ApprovalRequest:
    """Records the approvals and uses them, in the transaction in which the ceremony begins."""
    what = document(ceremony, approvers(ceremony))
    row = dual_control.request(
        action=ApprovalAction.CEREMONY,
        summary=f"Nyckelceremoni: {ceremony.title}",
        document=what,
        requester_ref=ceremony.requester_ref,
        required=len(given),
    )
    for each in given:
        certificate = each.signature.certificate.public_bytes(Encoding.DER)
        dual_control.decide(
            request_id=row.id,
            approver_ref=each.known.approver.ref,
            decision=Decision.APPROVED,
            document_sha256=row.document_sha256,
            signed=dual_control.ApproverSignature(each.signature.der, certificate),
        )
    return dual_control.use(request_id=row.id, action=ApprovalAction.CEREMONY, document=what, actor_ref=actor_ref)
