"""A relying party that queries the status services over plain HTTP."""

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

SECONDS = 10
GOOD, REVOKED, ON_HOLD = "GOOD", "REVOKED", "ON_HOLD"


class StatusServiceFault(RuntimeError):
    """A status service did not give the expected response."""


def _ocsp_url(certificate: x509.Certificate) -> str:
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    for description in access:
        if description.access_method == AuthorityInformationAccessOID.OCSP:
            return str(description.access_location.value)
    raise StatusServiceFault("the certificate names no OCSP address")


def ask_ocsp(certificate: x509.Certificate, issuer: x509.Certificate, algorithm: hashes.HashAlgorithm) -> bytes:
    """Queries the responder that the certificate names (RFC 6960) and returns the DER response. Raises StatusServiceFault."""
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm).build()
    answer = requests.post(
        _ocsp_url(certificate),
        data=request.public_bytes(Encoding.DER),
        headers={"Content-Type": "application/ocsp-request"},
        timeout=SECONDS,
    )
    if answer.status_code != 200:
        raise StatusServiceFault(f"the responder answered {answer.status_code}")
    return answer.content


def await_ocsp(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    algorithm: hashes.HashAlgorithm,
    wanted: str,
    *,
    seconds: float = 5.0,
) -> bytes:
    """Queries until the status is `wanted` and returns that response. Raises StatusServiceFault after `seconds`."""
    return _until(lambda: ask_ocsp(certificate, issuer, algorithm), lambda answer: _status(answer) == wanted, seconds, wanted)


def _status(answer: bytes) -> str:
    """Returns GOOD, REVOKED, ON_HOLD, UNKNOWN or the name of an unsigned error. A hold is `revoked` with certificateHold."""
    response = ocsp.load_der_ocsp_response(answer)
    if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
        return response.response_status.name
    held = response.revocation_reason is x509.ReasonFlags.certificate_hold
    return ON_HOLD if held else response.certificate_status.name


def fetch_crl(certificate: x509.Certificate, *, listed: bool, seconds: float = 10.0) -> tuple[str, bytes]:
    """Fetches the certificate's CRL until it lists the certificate (or not, by `listed`). Returns file name and DER.

    Raises StatusServiceFault after `seconds`.
    """
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    names = points[0].full_name or []
    address = str(names[0].value)

    def get() -> bytes:
        answer = requests.get(address, timeout=SECONDS)
        if answer.status_code != 200:
            raise StatusServiceFault(f"the CRL's address answered {answer.status_code}")
        return answer.content

    def lists(content: bytes) -> bool:
        revoked = x509.load_der_x509_crl(content).get_revoked_certificate_by_serial_number(certificate.serial_number)
        return (revoked is not None) == listed

    return urlsplit(address).path.rsplit("/", 1)[-1], _until(get, lists, seconds, "listed" if listed else "not listed")


def _until(get: Callable[[], bytes], good: Callable[[bytes], bool], seconds: float, wanted: str) -> bytes:
    deadline = time.monotonic() + seconds
    while True:
        content = get()
        if good(content):
            return content
        if time.monotonic() > deadline:
            raise StatusServiceFault(f"no answer said “{wanted}” within {seconds} s")
        time.sleep(0.1)
