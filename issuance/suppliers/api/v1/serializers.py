"""The JSON forms of the supplier API. Ids, serials and keys are strings: a 19-digit JSON number would lose digits."""

import base64
import binascii
import datetime as dt
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from issuance.carriers.domain.carrier_states import CarrierState
from issuance.orders.domain.order_states import OrderState
from issuance.orders.domain.puk_states import REFUSALS, PukState
from issuance.orders.domain.rules import DeliveryMethod
from issuance.orders.models.orders import OrderItem
from issuance.suppliers import queries
from issuance.suppliers.domain import EventOutcome
from pki import service as pki
from siths_portal.lib.certificates import key_attestations
from siths_portal.lib.rest.fields import BASE64, CURSOR, Closed, CsrField, CursorField, Flag, Pem, PublicKeyField, Text, Words
from siths_portal.lib.rest.openapi import CLOSED

PROFILES = ("person-hsaid-auth", "person-hsaid-sign", "person-id-auth", "person-id-sign")
STATUSES = [state.value for state in OrderState]
ISSUED, PENDING = ["issued"], ["pending"]
_JWE_LIMIT = 8192
_PUK_TEXT = (
    "Whether the portal has the card's PUK: pending until it is opened, sealed, refused, or none for a card without PUK. Null "
    "before the card is produced. A card does not count as sent before its PUK is sealed. Replace a refused PUK by reporting "
    "produced again with a new puk_jwe."
)
_PUK_FORM = (
    "The PUK as a JWE in compact form (RFC 7516): ECDH-ES in direct key agreement on P-256, A256GCM, to the key of `GET keys` "
    "that kid names. The protected header also has order, the order's id, and serial, the card's 19 digits. The content is the "
    f"PUK itself: {pki.PUK_MIN_DIGITS} to {pki.PUK_MAX_DIGITS} ASCII digits 0-9, without spaces, line end, quotes or JSON."
)
_LETTER_FORM = (
    "The PUK as a JWE in compact form (RFC 7516): ECDH-ES in direct key agreement on P-256, A256GCM, to the key of the letter "
    "certificate that is registered for the supplier. The protected header has kid, the SHA-256 of that certificate in lower "
    "case hex, order, item and serial, the number of the card. The content is the PUK itself: "
    f"{pki.PUK_MIN_DIGITS} to {pki.PUK_MAX_DIGITS} ASCII digits 0-9."
)
_SERIAL_FORM = (
    "The serial number that is printed on the card: 19 digits, of which the last is the Luhn check digit of the others (ISO/IEC "
    "7812-1 annex B)."
)
_MIFARE_FORM = (
    "The number of the card's contactless chip as it is in the HSA directory (hsaMifareSerialNumber): 1 to 10 letters A-Z, a-z "
    "or digits, without separators. A chip with a UID of four bytes has 8 hexadecimal or at most 10 decimal digits."
)
_ATTESTATION_FORM = (
    "Attestations that the card's keys were made in the card: JWTs of OpenID for Verifiable Credential Issuance 1.0, appendix "
    f"D.1 (typ {key_attestations.TYPE}, x5c, iat, attested_keys), signed with {', '.join(key_attestations.ALGORITHMS)}. "
    "Together they name the card key and the key of each request. Verified against the roots that are registered for the "
    "supplier, and required if its registration says so."
)
_REFUSAL_TEXT = "Why the PUK is refused: " + "; ".join(f"{code}, {text}" for code, text in REFUSALS.items()) + "."
REASON = r"^[a-z][a-z0-9-]{0,39}$"
DIGITS_10 = r"^[0-9]{10}$"
SHA_256 = r"^[0-9a-f]{64}$"
_ISSUER_NUMBER = r"^([0-9]{4})?$"
_COORDINATE = r"^[A-Za-z0-9_-]{43}$"


class ListQuery(serializers.Serializer[Any]):
    """Query parameters of `GET orders`."""

    status = serializers.ChoiceField(choices=STATUSES, default=OrderState.QUEUED.value, help_text="The status of the orders.")
    limit = serializers.IntegerField(min_value=1, max_value=200, default=50, help_text="The most orders on a page.")
    cursor = CursorField()


class ArticleSerializer(serializers.Serializer[Any]):
    """The article of an order."""

    code = Text(max_length=12, pattern=r"^[0-9A-Z-]+$", help_text="The number, with -REK for the variant by registered mail.")
    number = Text(max_length=8, pattern=r"^[0-9A-Z-]+$")
    name = Words(max_length=100)
    orientation = serializers.ChoiceField(choices=["portrait", "landscape"])
    photo = serializers.BooleanField()
    registered_mail = serializers.BooleanField()


class PukField(serializers.ChoiceField):
    """A `PukState`, or null before there is one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[state.value for state in PukState], allow_null=True, help_text=_PUK_TEXT, **options)

    def to_representation(self, value: Any) -> Any:
        """Returns the state's name, or None."""
        return value or None


class PukRefusalField(serializers.ChoiceField):
    """The reason why a PUK was refused, or null."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=list(REFUSALS), allow_null=True, help_text=_REFUSAL_TEXT, **options)

    def to_representation(self, value: Any) -> Any:
        """Returns the code, or None."""
        return value or None


class OrderSerializer(serializers.Serializer[Any]):
    """An order of the supplier, without personal data."""

    id = serializers.UUIDField(help_text="Beställnings-id.")
    status = serializers.ChoiceField(
        choices=STATUSES, source="state", help_text="cancelled: the customer withdrew the order before it was accepted."
    )
    ordered_at = serializers.DateTimeField()
    article = ArticleSerializer()
    customisation_id = Text(
        source="customisation.customisation_id", max_length=10, pattern=DIGITS_10, help_text="Kortanpassnings-id, 10 digits."
    )
    item_count = serializers.IntegerField(
        min_value=1, help_text="How many items the order has. Read them at `items` if it is more than one."
    )
    puk = PukField(source="only.puk")
    puk_refusal = PukRefusalField(source="only.puk_refusal")
    card_revoked = serializers.SerializerMethodField()

    def to_representation(self, row: Any) -> Any:
        """Returns the order with the values of its only item, which are null or false if there are more."""
        row.only = queries.only_item(row)
        return super().to_representation(row)

    def get_card_revoked(self, row: Any) -> bool:
        """True if the card of the only item is revoked. Make or send no such card; report it failed if it is not sent."""
        return card_is_revoked(row.only)


def card_is_revoked(item: OrderItem | None) -> bool:
    """True if the card that the item makes, or whose PUK it carries, is revoked."""
    return item is not None and item.subject_card.state == CarrierState.REVOKED


class OrderPage(serializers.Serializer[Any]):
    """A page of orders, oldest first."""

    orders = OrderSerializer(many=True)
    next_cursor = Text(allow_null=True, max_length=200, pattern=CURSOR, help_text="Opaque; null on the last page.")


class PrintSerializer(serializers.Serializer[Any]):
    """The text and pictures printed on the card. Given name, surname and service id are null on reserve cards."""

    given_name = Words(allow_null=True, max_length=100)
    surname = Words(allow_null=True, max_length=100)
    organisation_name = Words(max_length=100)
    service_id = Text(allow_null=True, max_length=31, pattern=r"^[A-Za-z0-9-]+$", help_text="Tjänste-id (HSA-id).")
    issuer_number = Text(max_length=4, pattern=_ISSUER_NUMBER, help_text="Utfärdarnummer, 4 digits.")
    back_text = Words(max_length=1000)
    logotype_sha256 = Text(allow_null=True, max_length=64, pattern=SHA_256)
    photo_sha256 = Text(allow_null=True, max_length=64, pattern=SHA_256, help_text="SHA-256 of the photo; null without one.")
    valid_to = serializers.DateTimeField(allow_null=True, help_text="The card is valid until this moment; null for a letter.")


class AddressSerializer(serializers.Serializer[Any]):
    """Folkbokföringsadress, read from the register for this response."""

    lines = serializers.ListField(child=Words(max_length=100), max_length=20)
    postal_code = Words(max_length=100)
    city = Words(max_length=100)
    country = Words(max_length=100)


class DeliverySerializer(serializers.Serializer[Any]):
    """The delivery of the card. Without an address it is sent through Skatteverkets förmedlingsuppdrag (protected persons)."""

    method = serializers.ChoiceField(choices=[method.value for method in DeliveryMethod])
    recipient = Words(max_length=210)
    forwarding = serializers.BooleanField()
    address = AddressSerializer(allow_null=True)


class IdAdministratorSerializer(serializers.Serializer[Any]):
    """Behörig ID-administratör: the officer who ordered, whom the holder may ask."""

    name = Words(max_length=210)
    service_id = Text(max_length=31, pattern=r"^[A-Za-z0-9-]+$", help_text="Tjänste-id (HSA-id).")


class OrderDetail(OrderSerializer):
    """An order with the printed data, the delivery and the officer. All are null until the order is accepted, again once the
    card is sent, and if the card is revoked. An officer with protected identity is also null.
    """

    print = PrintSerializer(allow_null=True)
    delivery = DeliverySerializer(allow_null=True)
    id_administrator = IdAdministratorSerializer(allow_null=True)


def csr_field(profile: str, *, required: bool = True) -> CsrField:
    """Returns the field of a certificate request. Its text says the keys that the profile takes."""
    return CsrField(required=required, help_text=f"Its key is {pki.keys_of(profile)}.")


@extend_schema_serializer(extensions=CLOSED)
class Csrs(Closed):
    """Four certificate requests, each signed by its key on the card. All keys are of one type. Their subject is not used."""

    def get_fields(self) -> dict[str, Any]:
        """Returns one required field for each profile."""
        return {profile: csr_field(profile) for profile in PROFILES}


class PemByProfile(serializers.Serializer[Any]):
    """PEM by profile."""

    def get_fields(self) -> dict[str, Any]:
        """Returns one required field for each profile."""
        return {profile: Pem() for profile in PROFILES}


class CardForm(serializers.Serializer[Any]):
    """A card: its serial number, its card key, which needs no code, and attestations of its keys."""

    card_serial = Text(pattern=r"^[0-9]{19}$", max_length=19, help_text=_SERIAL_FORM)
    card_key = PublicKeyField(help_text="The card key (P-256, without code).")
    attestations = serializers.ListField(
        child=Text(max_length=key_attestations.LONGEST, pattern=r"^[A-Za-z0-9_.-]+$"),
        max_length=10,
        required=False,
        help_text=_ATTESTATION_FORM,
    )


class CertificateRequest(CardForm):
    """The card: its serial number, its card key, which needs no code, and the requests for its four certificates."""

    csrs = Csrs()


class Certificates(serializers.Serializer[Any]):
    """The certificates, and for each its chain: the issuing CA first, the root last."""

    status = serializers.ChoiceField(choices=ISSUED)
    certificates = PemByProfile()
    chains = PemByProfile()


class Pending(serializers.Serializer[Any]):
    """The certificates are being signed, or the PUK of a letter is being encrypted."""

    status = serializers.ChoiceField(choices=PENDING)


class PukLetter(serializers.Serializer[Any]):
    """The PUK that a letter carries."""

    puk_jwe = Text(max_length=_JWE_LIMIT, pattern=r"^[A-Za-z0-9_.-]+$", help_text=_LETTER_FORM)


class ProducedReport(serializers.Serializer[Any]):
    """The card or the letter is produced. A letter has no other members than type."""

    type = serializers.ChoiceField(choices=["produced"])
    mifare_id = Text(
        pattern=r"^[0-9A-Za-z]{1,10}$", max_length=10, required=False, help_text=f"{_MIFARE_FORM} Required for cards."
    )
    puk_jwe = Text(max_length=_JWE_LIMIT, pattern=r"^[A-Za-z0-9_.-]*$", required=False, help_text=_PUK_FORM)
    no_puk = Flag(
        required=False,
        help_text="True for a card without PUK, in place of puk_jwe: reserve cards. A card for a person has a PUK.",
    )


class SentReport(serializers.Serializer[Any]):
    """The card is handed to the post. The report is parked until the card's PUK is sealed, and then
    applied with the given day.
    """

    type = serializers.ChoiceField(choices=["sent"])
    sent_on = serializers.DateField(help_text="The day in Sweden, not before the order's day and not in the future.")
    registered_mail_id = Text(
        pattern=r"^[A-Z]{2}[0-9A-Z]{9}SE$",
        max_length=13,
        required=False,
        help_text="REK-id; required for articles by registered mail.",
    )


class FailedReport(serializers.Serializer[Any]):
    """The card cannot be made or is spoilt. The order ends and its certificates are revoked. Applies until the card is sent. A
    later report is noted and changes nothing.
    """

    type = serializers.ChoiceField(choices=["failed"])
    reason = Text(pattern=REASON, max_length=40, help_text="The supplier's code.")


class ReturnedReport(serializers.Serializer[Any]):
    """The consignment came back. The order ends and the card is revoked. If the holder has chosen the card's code, the report
    is noted and changes nothing, because only the issuer revokes a card in use.
    """

    type = serializers.ChoiceField(choices=["returned"])
    reason = Text(pattern=REASON, max_length=40, required=False, help_text="The supplier's code.")


REPORTS: dict[str, type[serializers.Serializer[Any]]] = {
    "produced": ProducedReport,
    "sent": SentReport,
    "failed": FailedReport,
    "returned": ReturnedReport,
}


class ReportOutcome(serializers.Serializer[Any]):
    """The outcome of a report."""

    outcome = serializers.ChoiceField(choices=[outcome.value for outcome in EventOutcome])


class CustomisationSerializer(serializers.Serializer[Any]):
    """A card customisation."""

    id = Text(source="customisation_id", max_length=10, pattern=DIGITS_10, help_text="Kortanpassnings-id, 10 digits.")
    name = Words(max_length=100)
    issuer_number = Text(max_length=4, pattern=_ISSUER_NUMBER)
    back_text = Words(max_length=1000)
    logotype_sha256 = Text(source="logotype_id", allow_null=True, max_length=64, pattern=SHA_256)
    verified = serializers.SerializerMethodField()

    def get_verified(self, row: Any) -> bool:
        """True if the issuer has verified it."""
        verified_at: dt.datetime | None = row.verified_at
        return verified_at is not None


@extend_schema_field({"type": "string", "contentEncoding": "base64", "maxLength": 400_000, "pattern": BASE64})
class Base64Field(Text):
    """Base64 (RFC 4648 section 4), decoded to bytes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=400_000, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Returns the decoded bytes."""
        try:
            return base64.b64decode(super().run_validation(data), validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("Ange base64.") from None


class LogotypeSerializer(serializers.Serializer[Any]):
    """A new logotype."""

    logotype = Base64Field(help_text="A still PNG, at most 256 KiB and 2000 pixels a side.")
    sha256 = Text(pattern=SHA_256, max_length=64, help_text="SHA-256 of the PNG.")


class Jwk(serializers.Serializer[Any]):
    """A public key (RFC 7517)."""

    kty = serializers.ChoiceField(choices=["EC"])
    crv = serializers.ChoiceField(choices=["P-256"])
    x = Text(max_length=43, pattern=_COORDINATE)
    y = Text(max_length=43, pattern=_COORDINATE)
    use = serializers.ChoiceField(choices=["enc"])
    alg = serializers.ChoiceField(choices=["ECDH-ES"])
    kid = Text(max_length=64, pattern=r"^[0-9a-f]+$", help_text="Names the key in the header of the JWE.")


class JwkSet(serializers.Serializer[Any]):
    """The keys to encrypt PUKs to, the newest first."""

    keys = Jwk(many=True)
