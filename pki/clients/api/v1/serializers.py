"""The JSON forms of the PKI API. Serials are hexadecimal text, bytes are PEM or Base64, moments have their offset."""

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from pki.clients.operations import PREFIX_DIGITS, SEARCH_SPAN
from pki.decoding import serial_forms
from pki.domain import keys, names
from pki.domain.alternative_names import KINDS
from pki.domain.profiles import PROFILES
from pki.domain.proof_of_possession import PURPOSE
from pki.models import Certificate, CertificateStatus, RevocationReason
from siths_portal.lib.rest.fields import (
    ASCII_LINES,
    BASE64,
    CURSOR,
    Base64Field,
    Closed,
    CsrField,
    CursorField,
    Moment,
    PublicKeyField,
    Text,
    Whole,
    Words,
)
from siths_portal.lib.rest.openapi import CLOSED

PENDING = ["pending"]
STATUSES = [*PENDING, CertificateStatus.ISSUED.value, CertificateStatus.REVOKED.value, CertificateStatus.FAILED.value]
REASONS = [reason for reason in RevocationReason.values if reason != "cACompromise"]
"""Reasons that a client may give: not cACompromise, which only the holder of a CA's key reports, and no hold (rules/pki 3.4)."""

SLUG = r"^[a-z0-9][a-z0-9-]{0,39}$"
SERIAL = r"^[0-9A-Fa-f]{2,40}$"
_UPPER_HEX = r"^[0-9A-F]{2,40}$"
_ANY_REF = r"^[A-Za-z0-9:._/-]*$"
_REF = r"^[A-Za-z0-9][A-Za-z0-9:._/-]{0,79}$"
_HEX_64 = r"^[0-9a-f]{64}$"
_ISSUER_TEXT = "The CA's short name, for example function."
_KEYS_TEXT = "The keys that each profile takes: {}.".format(
    "; ".join(f"{each.name} {keys.description(each.keys)}" for each in PROFILES.values() if each.orderable)
)


@extend_schema_serializer(extensions=CLOSED)
class Subject(Closed):
    """The subject's name, by RFC 4519 attribute; the profile defines the attributes.

    commonName must be a name that the client was granted, and each other attribute a value that is registered for the client.
    """

    def get_fields(self) -> dict[str, Any]:
        """Returns one field for each attribute of any profile."""
        return {name: Words(required=False, max_length=128) for name in names.OIDS}


@extend_schema_serializer(extensions=CLOSED)
class AlternativeNames(Closed):
    """Names for subjectAltName, by kind; the profile defines the kinds."""

    def get_fields(self) -> dict[str, Any]:
        """Returns one list field for each kind."""
        return {kind: serializers.ListField(child=_AlternativeName(), required=False, max_length=100) for kind in KINDS}


class _AlternativeName(Text):
    def __init__(self) -> None:
        super().__init__(pattern=r"^[^,]+$", max_length=254)


_PROOF_TEXT = (
    "With public_key: Base64 of the private key's signature over the UTF-8 bytes of the canonical JSON (RFC 8785: names sorted, "
    "no white space) of this very object without proof, with two members more: idempotency_key, the value of Idempotency-Key, "
    f'and purpose, "{PURPOSE}". RSA keys sign by RSASSA-PKCS1-v1_5 with SHA-256; P-256 keys by ECDSA with SHA-256 and P-384 '
    "keys by ECDSA with SHA-384, as Ecdsa-Sig-Value in DER (RFC 3279 section 2.2.3)."
)


@extend_schema_serializer(extensions=CLOSED)
class CertificateOrderForm(Closed):
    """An order of one certificate. The key comes as csr, whose names are not used, or as public_key with proof."""

    issuer = Text(pattern=SLUG, max_length=40, help_text=_ISSUER_TEXT)
    profile = Text(pattern=SLUG, max_length=40, help_text=_KEYS_TEXT)
    subject = Subject()
    subject_alternative = AlternativeNames(required=False)
    csr = CsrField(required=False, help_text="A PKCS #10 request signed with the key.")
    public_key = PublicKeyField(required=False, help_text="SubjectPublicKeyInfo; proof shows that the client holds the key.")
    proof = Base64Field(required=False, max_length=1500, help_text=_PROOF_TEXT)
    subject_ref = Text(
        pattern=_REF,
        max_length=80,
        help_text="The client's reference to the key's subject, without personal data. Only the same subject may reuse a key.",
    )
    carrier_ref = Text(pattern=_REF, max_length=80, required=False, help_text="The client's reference to the key's carrier.")
    card_number = Text(pattern=r"^[0-9]{19}$", max_length=19, required=False, help_text="For the profiles of cards.")
    not_after = Moment(
        required=False,
        help_text="notAfter, at most as late as the profile and the CA allow; without it the latest allowed time.",
    )

    def validate(self, attrs: Any) -> Any:
        """Requires either csr, or public_key with proof."""
        if ("csr" in attrs) == ("public_key" in attrs):
            raise serializers.ValidationError({"csr": ["Ange antingen csr, eller public_key och proof."]})
        if ("public_key" in attrs) != ("proof" in attrs):
            raise serializers.ValidationError({"proof": ["public_key och proof hör ihop."]})
        if attrs["subject_ref"].startswith(("ocsp:", "ca:")):
            raise serializers.ValidationError({"subject_ref": ["Namn som börjar med ocsp: eller ca: är PKI:ns egna."]})
        return attrs


def _status(row: Certificate) -> str:
    return "pending" if row.status == CertificateStatus.RESERVED else str(row.status)


class RevocationData(serializers.Serializer[Any]):
    """A revocation. `revoked_at` never changes."""

    revoked_at = serializers.DateTimeField()
    reason = serializers.ChoiceField(choices=REASONS)
    invalidity_date = serializers.DateTimeField(allow_null=True)


class CertificateSummary(serializers.Serializer[Any]):
    """A certificate in a search result."""

    issuer = Text(source="ca.slug", max_length=40, pattern=SLUG, help_text=_ISSUER_TEXT)
    serial = Text(max_length=40, pattern=_UPPER_HEX, help_text="Hexadecimal, upper case, whole octets.")
    serial_reversed = serializers.SerializerMethodField(
        help_text="The INTEGER's octets in reverse order, as in altSecurityIdentities after <SR>."
    )
    profile = Text(source="profile_version.name", max_length=40, pattern=SLUG)
    status = serializers.SerializerMethodField()
    held = serializers.BooleanField(
        help_text="On hold until the holder has chosen the card's code: OCSP says revoked, certificateHold, and no CRL has it."
    )
    subject_ref = Text(max_length=80, pattern=_ANY_REF)
    carrier_ref = Text(max_length=80, pattern=_ANY_REF, help_text="Empty without a carrier.")
    public_key_sha256 = Text(source="spki_sha256", max_length=64, pattern=_HEX_64, help_text="SHA-256 of SubjectPublicKeyInfo.")
    not_before = serializers.DateTimeField()
    not_after = serializers.DateTimeField()
    ordered_at = serializers.DateTimeField(source="created_at")
    issued_at = serializers.DateTimeField(allow_null=True)
    revocation = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string", "maxLength": 40, "pattern": _UPPER_HEX})
    def get_serial_reversed(self, row: Certificate) -> str:
        """Returns the serial in reverse byte order."""
        return serial_forms(int(row.serial, 16)).reversed_octets

    @extend_schema_field(serializers.ChoiceField(choices=STATUSES))
    def get_status(self, row: Certificate) -> str:
        """Returns the status, `pending` until it is signed."""
        return _status(row)

    @extend_schema_field(RevocationData(allow_null=True))
    def get_revocation(self, row: Certificate) -> Any:
        """Returns the revocation, or None."""
        return RevocationData(row).data if row.status == CertificateStatus.REVOKED else None


class CertificateDetail(CertificateSummary):
    """A certificate. `certificate`, `der` and `chain` are null unless it was issued; a failed one never was."""

    certificate = serializers.SerializerMethodField()
    der = serializers.SerializerMethodField()
    chain = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["string", "null"], "format": "pem", "maxLength": 8192, "pattern": ASCII_LINES})
    def get_certificate(self, row: Certificate) -> str | None:
        """Returns the certificate in PEM."""
        der = _der(row)
        return None if der is None else pem(der)

    @extend_schema_field({"type": ["string", "null"], "contentEncoding": "base64", "maxLength": 8192, "pattern": BASE64})
    def get_der(self, row: Certificate) -> str | None:
        """Returns the DER in Base64."""
        der = _der(row)
        return None if der is None else Base64Field().to_representation(der)

    @extend_schema_field(
        {
            "type": ["string", "null"],
            "format": "pem",
            "maxLength": 32_768,
            "pattern": ASCII_LINES,
            "description": "The issuing CA first, the root last.",
        }
    )
    def get_chain(self, row: Certificate) -> str | None:
        """Returns the PEM of the issuers, which the context provides."""
        return None if _der(row) is None else "".join(pem(der) for der in self.context["chain"])


def _der(row: Certificate) -> bytes | None:
    return bytes(row.blob.der) if hasattr(row, "blob") else None


def pem(der: bytes) -> str:
    """Returns a certificate in PEM (RFC 7468)."""
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


class PendingCertificate(serializers.Serializer[Any]):
    """The certificate is being signed; its serial is decided."""

    status = serializers.ChoiceField(choices=PENDING)
    issuer = Text(source="ca.slug", max_length=40, pattern=SLUG)
    serial = Text(max_length=40, pattern=_UPPER_HEX)


@extend_schema_serializer(extensions=CLOSED)
class RevocationForm(Closed):
    """A request for a revocation, which is final."""

    issuer = Text(pattern=SLUG, max_length=40, help_text=_ISSUER_TEXT)
    serial = Text(pattern=SERIAL, max_length=40, help_text="Hexadecimal, in either case.")
    reason = serializers.ChoiceField(choices=REASONS, help_text="RFC 5280 section 5.3.1.")
    received_at = Moment(required=False, help_text="When the client got the request, if not now.")
    invalidity_date = Moment(
        required=False, help_text="Since when the certificate may not have been valid (RFC 5280 section 5.3.2)."
    )
    justification = Words(required=False, max_length=1000, help_text="For reviewers; without personal data.")


class RevokedCertificate(RevocationData):
    """The certificate's revocation: the first request's time, with the changes that later requests may make."""

    issuer = Text(source="ca.slug", max_length=40, pattern=SLUG)
    serial = Text(max_length=40, pattern=_UPPER_HEX)


@extend_schema_serializer(extensions=CLOSED)
class SearchForm(Closed):
    """Search criteria, joined by "and". At least a subject, carrier, key, beginning of a serial, or a span of time."""

    issuer = Text(required=False, pattern=SLUG, max_length=40, help_text=_ISSUER_TEXT)
    profile = Text(required=False, pattern=SLUG, max_length=40)
    status = serializers.ChoiceField(required=False, choices=STATUSES)
    subject_ref = Text(required=False, pattern=_REF, max_length=80)
    carrier_ref = Text(required=False, pattern=_REF, max_length=80)
    public_key_sha256 = Text(required=False, pattern=_HEX_64, max_length=64)
    serial_prefix = Text(
        required=False,
        pattern=rf"^[0-9A-Fa-f]{{{PREFIX_DIGITS},40}}$",
        max_length=40,
        help_text="The first digits of the serial.",
    )
    issued_from = Moment(required=False, help_text="Issued then or later; goes with issued_before.")
    issued_before = Moment(required=False, help_text=f"Issued before then, at most {SEARCH_SPAN.days} days after issued_from.")
    limit = Whole(required=False, min_value=1, max_value=200, default=50)
    cursor = CursorField()


class SearchPage(serializers.Serializer[Any]):
    """A page of certificates that the client may read, the newest first."""

    certificates = CertificateSummary(many=True)
    next_cursor = Text(allow_null=True, max_length=200, pattern=CURSOR, help_text="Opaque; null on the last page.")
