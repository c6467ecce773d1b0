"""What may be said to any bytes that are sent as an OCSP request, by a truth of its own: the rows of the database, read once.

Requests are read by the library, whole; whether what was asked is what is answered is told by the bytes alone. Nothing here is
the code that answers.
"""

from collections import Counter

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp as x509_ocsp

from pki.models import Certificate, CertificateAuthority, OcspSigner

LONGEST_ANSWER = 2000
"""Octets: an answer with a certificate and a nonce of 128 has far fewer, whatever was sent."""
MALFORMED, UNAUTHORIZED, TRY_LATER = "MALFORMED_REQUEST", "UNAUTHORIZED", "TRY_LATER"
_SAID = {"issued": {"GOOD"}, "revoked": {"REVOKED"}, "reserved": {UNAUTHORIZED}, "failed": {UNAUTHORIZED}}

type Issuer = tuple[str, bytes, bytes]


class Oracle:
    """The truth of now. `late` certificates may have no answer yet: then what they are told is `tryLater` or nothing."""

    def __init__(self, *, late: frozenset[int] = frozenset()) -> None:
        self._late = late
        self._issuers: dict[Issuer, int] = {}
        self._echo: set[int] = set()
        for ca in CertificateAuthority.objects.exclude(name_sha256=""):
            for name in ("sha1", "sha256"):
                point = name, bytes.fromhex(getattr(ca, f"name_{name}")), bytes.fromhex(getattr(ca, f"key_{name}"))
                self._issuers[point] = ca.id
            if ca.nonce_policy == "echo":
                self._echo.add(ca.id)
        rows = Certificate.objects.values_list("ca_id", "serial", "status")
        self._status = {(ca_id, int(serial, 16)): status for ca_id, serial, status in rows}
        signers = OcspSigner.objects.filter(retired_at=None).values_list("ca_id", "certificate_der")
        self._signers = {ca_id: x509.load_der_x509_certificate(bytes(der)) for ca_id, der in signers}
        self._verified: set[bytes] = set()
        self.said: Counter[str] = Counter()
        """How often each thing was said."""

    def judge(self, der: bytes, answer: bytes) -> None:
        """Fails unless `answer` is one of those that may be given to these bytes."""
        assert len(answer) <= LONGEST_ANSWER, der.hex()
        response = x509_ocsp.load_der_ocsp_response(answer)
        successful = response.response_status == x509_ocsp.OCSPResponseStatus.SUCCESSFUL
        said = response.certificate_status.name if successful else response.response_status.name
        self.said[said] += 1
        asked, allowed = self._allowed(der)
        assert said in allowed, (said, allowed, der.hex())
        if successful:
            assert asked is not None
            self._is_of(response, der, asked)
            self._is_signed(response, answer, self._issuers[asked[0]])
            self._has_its_nonce(response, asked)

    def _allowed(self, der: bytes) -> tuple[tuple[Issuer, int, bytes | None] | None, set[str]]:
        """What is asked, None if nothing is, and what may be said."""
        if not 0 < len(der) <= 10_000:
            return None, {MALFORMED}
        try:
            request = x509_ocsp.load_der_ocsp_request(der)
            extensions = list(request.extensions)
        except (ValueError, NotImplementedError, x509.DuplicateExtension):
            return None, {MALFORMED}
        nonces = [each.value.nonce for each in extensions if isinstance(each.value, x509.OCSPNonce)]
        strange = [each for each in extensions if each.critical and not isinstance(each.value, x509.OCSPNonce)]
        if strange or any(not 1 <= len(nonce) <= 128 for nonce in nonces):
            return None, {MALFORMED}
        try:
            issuer = request.hash_algorithm.name, request.issuer_name_hash, request.issuer_key_hash
        except UnsupportedAlgorithm:
            return None, {UNAUTHORIZED}
        serial = request.serial_number
        if issuer not in self._issuers or not 0 < serial < 1 << 159:
            return None, {UNAUTHORIZED}
        status = self._status.get((self._issuers[issuer], serial))
        allowed = {UNAUTHORIZED, "UNKNOWN"} if status is None else set(_SAID[status])
        if serial in self._late:
            allowed |= {TRY_LATER, UNAUTHORIZED}
        return (issuer, serial, nonces[0] if nonces else None), allowed

    def _is_of(self, response: x509_ocsp.OCSPResponse, der: bytes, asked: tuple[Issuer, int, bytes | None]) -> None:
        """The answer's CertID is the one that was asked for, octet for octet."""
        (name, name_hash, key_hash), serial, _ = asked
        assert (response.hash_algorithm.name, response.serial_number) == (name, serial), der.hex()
        assert (response.issuer_name_hash, response.issuer_key_hash) == (name_hash, key_hash), der.hex()
        octets = response.serial_number.to_bytes(response.serial_number.bit_length() // 8 + 1)
        assert response.issuer_name_hash + b"\x04" + bytes([len(key_hash)]) + response.issuer_key_hash in der, der.hex()
        assert b"\x02" + bytes([len(octets)]) + octets in der, der.hex()

    def _is_signed(self, response: x509_ocsp.OCSPResponse, answer: bytes, ca_id: int) -> None:
        """By the CA's responder, which it carries; each answer is verified once."""
        if answer in self._verified:
            return
        (carried,) = response.certificates
        signer = self._signers[ca_id]
        assert carried == signer
        key = signer.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
        assert response.this_update_utc <= response.produced_at_utc < response.next_update_utc <= signer.not_valid_after_utc
        self._verified.add(answer)

    def _has_its_nonce(self, response: x509_ocsp.OCSPResponse, asked: tuple[Issuer, int, bytes | None]) -> None:
        """Its own or none; none of a CA that leaves them out."""
        found = [each.value.nonce for each in response.extensions if isinstance(each.value, x509.OCSPNonce)]
        may = [[]] if asked[2] is None or self._issuers[asked[0]] not in self._echo else [[], [asked[2]]]
        assert found in may
