"""The JSON forms of the eID app API. Serials are strings; bytes are Base64 in the standard alphabet."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from issuance.activation.domain.card_reports import REPORTED, CardReport
from issuance.activation.domain.transaction_states import TransactionKind, TransactionState
from issuance.carriers.domain.kinds import CARD_PROFILES, RESERVE_CARD, Stage
from siths_portal.lib.certificates.signatures import CARD_FORMAT
from siths_portal.lib.rest.fields import Base64Field, CertificateField, Closed, CsrField, Pem, Text, Words
from siths_portal.lib.rest.openapi import CLOSED

PROFILES = ("person-hsaid-auth", "person-hsaid-sign", "person-id-auth", "person-id-sign", "transport")
MADE_LATER = tuple(dict.fromkeys((*RESERVE_CARD.profiles(stage=Stage.ACTIVATION), *CARD_PROFILES)))
"""The certificates of keys that are made on a card when it is activated, or when its holder fetches an eID."""

KINDS = [kind.value for kind in TransactionKind]
PENDING = ["pending"]
REPORTS = [report.value for report in REPORTED]
STARTED = [TransactionState.STARTED.value, TransactionState.CODE_SET.value]
CODE_SET = [TransactionState.CODE_SET.value, TransactionState.COMPLETED.value]
COMPLETED = [TransactionState.COMPLETED.value]
CANCELLED = [TransactionState.CANCELLED.value]
_COORDINATE = r"^[A-Za-z0-9_-]{43}$"


@extend_schema_serializer(extensions=CLOSED)
class EphemeralKey(Closed):
    """The public JWK of a P-256 key that the app made only for this transaction (RFC 7518 section 6.2)."""

    kty = serializers.ChoiceField(choices=["EC"])
    crv = serializers.ChoiceField(choices=["P-256"])
    x = Text(pattern=_COORDINATE, max_length=43)
    y = Text(pattern=_COORDINATE, max_length=43)


@extend_schema_serializer(extensions=CLOSED)
class CardCertificates(Closed):
    """The certificates on the card, as PEM: the four of an ordinary card, or `transport` of a reserve card, with those of an
    earlier eID if it has them.
    """

    def get_fields(self) -> dict[str, Any]:
        """Returns a field for each profile. Declared here, because the profiles' names are not Python identifiers."""
        return {profile: CertificateField(required=False) for profile in PROFILES}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Requires the certificate of a reserve card, or the four of an ordinary one."""
        if "transport" not in attrs and (missing := [profile for profile in CARD_PROFILES if profile not in attrs]):
            raise serializers.ValidationError({key: ["Fältet krävs."] for key in missing})
        return attrs


@extend_schema_serializer(extensions=CLOSED)
class StartRequest(Closed):
    """The app's proof of the card."""

    card_serial = Text(pattern=r"^[0-9]{19}$", max_length=19, help_text="The 19 digits of the card in the reader.")
    certificates = CardCertificates()
    ephemeral_key = EphemeralKey()
    origin = Text(max_length=200, pattern=r"^[\x21-\x7e]+$", help_text="The portal's origin, as the app was told it.")
    signature = Base64Field(
        max_length=120,
        help_text=(
            "ECDSA-Sig-Value (RFC 3279) by the card key, with SHA-256, over the UTF-8 bytes of the canonical JSON (sorted names, "
            "no white space) of card_serial, ephemeral_key, handle, kind and origin."
        ),
    )


@extend_schema_serializer(extensions=CLOSED)
class NewRequests(Closed):
    """A certificate request (PKCS #10) for each key that was made on the card, as PEM: the HSA-id pair, and for a renewed eID the
    person-id pair too.
    """

    def get_fields(self) -> dict[str, Any]:
        """Returns a field for each profile. Which of them are needed, the service knows."""
        return {profile: CsrField(required=False) for profile in MADE_LATER}


@extend_schema_serializer(extensions=CLOSED)
class CertificatesRequest(Closed):
    """The request for certificates of new keys, signed by the card key."""

    csrs = NewRequests()
    signature = Base64Field(
        max_length=120,
        help_text=(
            "ECDSA-Sig-Value (RFC 3279) by the card key, with SHA-256, over the UTF-8 bytes of the canonical JSON of "
            "handle_sha256 and csrs: the SHA-256 of the handle and of the DER of each request by profile, in lower-case hex."
        ),
    )


class NewCertificates(serializers.Serializer[Any]):
    """The certificates to write on the card, as PEM."""

    def get_fields(self) -> dict[str, Any]:
        """Returns a field for each profile."""
        return {profile: Pem(required=False) for profile in MADE_LATER}


class CertificatesAnswer(serializers.Serializer[Any]):
    """The new certificates, and the receipt to be signed with the new key after the code is set. For the kind fetch the statement
    in place of the receipt, to be signed by the new key on HSA-id when the certificates are on the card.
    """

    certificates = NewCertificates()
    pdf = Base64Field(max_length=8_000_000, required=False)
    byte_range = serializers.ListField(child=serializers.IntegerField(min_value=0), min_length=4, max_length=4, required=False)
    signed_attributes = Base64Field(max_length=8192, required=False)
    digest_algorithm = serializers.ChoiceField(choices=["sha256"], required=False)
    statement = Base64Field(
        max_length=8192,
        required=False,
        help_text="Canonical JSON of the order, the eID, the card's number and the SHA-256 of each certificate (DER).",
    )


@extend_schema_serializer(extensions=CLOSED)
class CompleteRequest(Closed):
    """The holder's signature."""

    signature = Base64Field(
        max_length=700,
        help_text=(
            "Over signed_attributes or statement, by the card's key for signatures on person id, or on HSA-id for a reserve "
            f"card and for the kind fetch, there the new one: {CARD_FORMAT}"
        ),
    )


@extend_schema_serializer(extensions=CLOSED)
class CardReportRequest(Closed):
    """An event at the card. A code chosen again after `code-blocked` is reported by code-set."""

    report = serializers.ChoiceField(choices=REPORTS)
    tries_left = serializers.IntegerField(
        min_value=1, max_value=10, required=False, help_text="With wrong-code alone, and always there: the tries left."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Requires the tries left with a wrong code, and refuses them in other reports."""
        if (attrs["report"] == CardReport.WRONG_CODE) != ("tries_left" in attrs):
            raise serializers.ValidationError({"tries_left": ["Ange återstående försök för wrong-code, och bara där."]})
        return attrs


class TextsSerializer(serializers.Serializer[Any]):
    """The texts that the holder reads. Plain text; an empty line separates paragraphs."""

    heading = Words(max_length=1000)
    summary = Words(max_length=10_000)
    terms = Words(max_length=100_000, help_text="The general terms verbatim.")
    regional_addition = Words(max_length=100_000)
    sign_message = Words(max_length=1000, help_text="To be shown where the code for the signature is asked for.")


class StartAnswer(serializers.Serializer[Any]):
    """The response to a proven card: what to show, what to sign, and data that only the app's ephemeral key decrypts."""

    kind = serializers.ChoiceField(choices=KINDS)
    expires_at = serializers.DateTimeField()
    texts = TextsSerializer()
    pdf = Base64Field(
        max_length=8_000_000,
        required=False,
        help_text=(
            "The receipt with room for the signature. Not for the kind unlock, nor for a statement; for a reserve card it comes "
            "with its certificates."
        ),
    )
    byte_range = serializers.ListField(
        child=serializers.IntegerField(min_value=0),
        min_length=4,
        max_length=4,
        required=False,
        help_text="What is signed of the PDF: two pairs of offset and length.",
    )
    signed_attributes = Base64Field(
        max_length=8192,
        required=False,
        help_text="DER of the CMS SignedAttrs (RFC 5652 section 5.4): check messageDigest against the PDF before signing.",
    )
    digest_algorithm = serializers.ChoiceField(choices=["sha256"], required=False)
    statement = Base64Field(
        max_length=8192,
        required=False,
        help_text=(
            "In place of a receipt, for an officer or a holder who signs with their own card: canonical JSON, which "
            "texts.summary says in words. The card signs these bytes with its key for signatures on person id."
        ),
    )
    signing_certificate = Text(
        pattern="^[0-9a-f]{64}$",
        max_length=64,
        required=False,
        help_text=(
            "With a statement by which a holder tests one certificate: the SHA-256 of the certificate (DER) whose key signs in "
            "place of that on person id."
        ),
    )
    profiles = serializers.ListField(
        child=serializers.ChoiceField(choices=MADE_LATER),
        required=False,
        help_text="For the kind fetch: the profiles that need new keys. The keys on the card stay in use until complete.",
    )
    slot = Text(
        max_length=36,
        pattern=r"^[0-9a-f-]{36}$",
        required=False,
        help_text="For the kind fetch: an opaque name of the new keys. A later transaction with the same slot goes on with them.",
    )
    encrypted = Text(
        max_length=8192,
        pattern=r"^[A-Za-z0-9_.-]+$",
        help_text=(
            "JWE, compact, ECDH-ES and A256GCM, with transaction and card_serial in the protected header. Holds JSON with "
            "step_token and, for the kinds activate and unlock, puk."
        ),
    )


class PendingAnswer(serializers.Serializer[Any]):
    """The response is being prepared."""

    status = serializers.ChoiceField(choices=PENDING)


class CodeSetAnswer(serializers.Serializer[Any]):
    """The code is recorded; for the kind unlock the transaction is completed."""

    state = serializers.ChoiceField(choices=CODE_SET)


class CardReportAnswer(serializers.Serializer[Any]):
    """The report is stored for the clerk."""

    state = serializers.ChoiceField(choices=STARTED)


class CompleteAnswer(serializers.Serializer[Any]):
    """The card is active, and the fetched eID in force."""

    state = serializers.ChoiceField(choices=COMPLETED)
    card_serial_ending = Text(
        max_length=4, pattern=r"^[0-9]{4}$", help_text="The last four digits, for the holder to recognise the card."
    )


class CancelAnswer(serializers.Serializer[Any]):
    """The transaction is cancelled."""

    state = serializers.ChoiceField(choices=CANCELLED)
