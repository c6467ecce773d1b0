"""The bodies of answers that single calls and batches share, and the reports in requests."""

from collections.abc import Callable, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from rest_framework import serializers

from issuance.suppliers.api.v1 import serializers as forms
from issuance.suppliers.domain import EventOutcome, Failed, Produced, Returned, Sent, SupplierReport
from pki import service as pki
from siths_portal.lib.errors import Conflict
from siths_portal.lib.rest.json_views import valid


def pem_chain(ca: str, generation: int) -> str:
    """Returns the PEM of the CA's chain: the CA first, the root last."""
    return "".join(_pem(der) for der in pki.chain(ca, generation))


def certificates(views: Sequence[pki.CertificateView], chain: Callable[[str, int], str] = pem_chain) -> dict[str, Any] | None:
    """Returns the body with the certificates of a card, or None while they are being signed. `chain` returns a CA's chain.

    Raises Conflict if they failed or are revoked.
    """
    statuses = {view.status for view in views}
    if "failed" in statuses:
        raise Conflict("certificates-failed", "Certifikaten kunde inte utfärdas. Rapportera beställningen som misslyckad.")
    if "revoked" in statuses:
        raise Conflict("certificates-revoked", "Certifikaten är spärrade. Kortet ska inte levereras.")
    if statuses != {"issued"}:
        return None
    chains = {issuer: chain(*issuer) for issuer in sorted({(view.ca, view.generation) for view in views})}
    return {
        "status": "issued",
        "certificates": {view.profile: _pem(view.der) for view in views},
        "chains": {view.profile: chains[view.ca, view.generation] for view in views},
    }


def _pem(der: bytes | None) -> str:
    return x509.load_der_x509_certificate(der or b"").public_bytes(serialization.Encoding.PEM).decode()


def report(data: Any) -> SupplierReport:
    """Returns the report in a body. Raises ValidationError."""
    kind = data.get("type") if isinstance(data, dict) else None
    form = forms.REPORTS.get(kind) if isinstance(kind, str) else None
    if form is None:
        raise serializers.ValidationError({"type": [f"Ange {', '.join(forms.REPORTS)}."]})
    given = valid(form, data)
    if kind == Produced.kind:
        return Produced(given.get("mifare_id", ""), given.get("puk_jwe", ""), given.get("no_puk", False))
    if kind == Sent.kind:
        return Sent(given["sent_on"], given.get("registered_mail_id", ""))
    if kind == Failed.kind:
        return Failed(given["reason"])
    return Returned(given["reason"]) if "reason" in given else Returned()


def report_status(outcome: EventOutcome, reported: SupplierReport) -> int:
    """Returns 202 if something remains to be done after a report, else 200."""
    waits = outcome is EventOutcome.PARKED or (outcome is EventOutcome.APPLIED and isinstance(reported, Produced))
    return 202 if waits else 200
