"""Implements the port `AuditKeys` with the issuing token: a MAC key and a signing key per year, kept as long as the chain.

Processes without a token load this module to verify signatures. So it imports `token` inside the functions that use the token.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from pki.custodians import held
from pki.models import HsmKey, KeyPurpose
from siths_portal.lib.audit.keys import KeyUnknown


class TokenAuditKeys:
    """Implements `lib.audit.keys.AuditKeys` with the issuing token: in the `pki` worker and in operators' commands."""

    def usable(self) -> bool:
        """Whether this process has a PIN."""
        return held.has_pin()

    def mac_key(self) -> str:
        """Returns this year's MAC key."""
        from pki.audit import token

        return token.of_the_year(KeyPurpose.AUDIT).key_id

    def derive(self, key_id: str, label: bytes) -> bytes:
        """Returns one HMAC, made in the token."""
        from pki.audit import token

        return token.mac(_row(key_id, KeyPurpose.AUDIT), label)

    def sign(self, statement: bytes) -> tuple[str, bytes]:
        """Signs with this year's key: ECDSA over P-256 with SHA-256, as DER."""
        from pki.audit import token

        row = token.of_the_year(KeyPurpose.AUDIT_HEAD)
        return row.key_id, token.sign(row, statement)

    def verifies(self, key_id: str, statement: bytes, signature: bytes) -> bool:
        """Verifies with the public key in the inventory."""
        try:
            self._public(key_id).verify(signature, statement, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def public_key(self, key_id: str) -> bytes:
        """Returns the key's SubjectPublicKeyInfo as PEM."""
        return self._public(key_id).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def _public(self, key_id: str) -> ec.EllipticCurvePublicKey:
        public = load_der_public_key(bytes(_row(key_id, KeyPurpose.AUDIT_HEAD).public_key_der))
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise KeyUnknown(key_id)
        return public


def _row(key_id: str, purpose: KeyPurpose) -> HsmKey:
    row = HsmKey.objects.filter(key_id=key_id, purpose=purpose).first()
    if row is None:
        raise KeyUnknown(key_id)
    return row
