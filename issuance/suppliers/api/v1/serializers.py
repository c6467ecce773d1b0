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
from issuance.orders.models.orders import OrderItem
from issuance.suppliers import queries
from issuance.suppliers.domain import EventOutcome
from pki import service as pki
from siths_portal.lib.rest.fields import Closed, CsrField, Flag, PublicKeyField, Text
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
_REFUSAL_TEXT = "Why the PUK is refused: " + "; ".join(f"{code}, {text}" for code, text in REFUSALS.items()) + "."
REASON = r"^[a-z][a-z0-9-]{0,39}$"


class ListQuery(serializers.Serializer[Any]):
    """Query parameters of `GET orders`."""

    status = serializers.ChoiceField(choices=STATUSES, default=OrderState.QUEUED.value)
    limit = serializers.IntegerField(min_value=1, max_value=200, default=50)
    cursor = serializers.CharField(required=False, max_length=200, help_text="next_cursor of the page before.")


class ArticleSerializer(serializers.Serializer[Any]):
    """The article of an order."""

    code = serializers.CharField(help_text="The number, with -REK for the variant by registered mail.")
    number = serializers.CharField()
    name = serializers.CharField()
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
    customisation_id = serializers.CharField(source="customisation.customisation_id", help_text="Kortanpassnings-id, 10 digits.")
    item_count = serializers.IntegerField(help_text="How many items the order has. Read them at `items` if it is more than one.")
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
    """True if the item's carrier is revoked."""
    return item is not None and item.carrier is not None and item.carrier.state == CarrierState.REVOKED


class OrderPage(serializers.Serializer[Any]):
    """A page of orders, oldest first."""

    orders = OrderSerializer(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text="Opaque; null on the last page.")


class PrintSerializer(serializers.Serializer[Any]):
    """The text and pictures printed on the card. Given name, surname and service id are null on reserve cards."""

    given_name = serializers.CharField(allow_null=True)
    surname = serializers.CharField(allow_null=True)
    organisation_name = serializers.CharField()
    service_id = serializers.CharField(allow_null=True, help_text="Tjänste-id (HSA-id).")
    issuer_number = serializers.CharField(help_text="Utfärdarnummer, 4 digits.")
    back_text = serializers.CharField()
    logotype_sha256 = serializers.CharField(allow_null=True)
    photo_sha256 = serializers.CharField(allow_null=True, help_text="SHA-256 of the photo; null without one.")
    valid_to = serializers.DateTimeField(allow_null=True, help_text="The card is valid until this moment.")


class AddressSerializer(serializers.Serializer[Any]):
    """Folkbokföringsadress, read from the register for this response."""

    lines = serializers.ListField(child=serializers.CharField())
    postal_code = serializers.CharField()
    city = serializers.CharField()
    country = serializers.CharField()


class DeliverySerializer(serializers.Serializer[Any]):
    """The delivery of the card. Without an address it is sent through Skatteverkets förmedlingsuppdrag (protected persons)."""

    method = serializers.CharField()
    recipient = serializers.CharField()
    forwarding = serializers.BooleanField()
    address = AddressSerializer(allow_null=True)


class IdAdministratorSerializer(serializers.Serializer[Any]):
    """Behörig ID-administratör: the officer who ordered, whom the holder may ask."""

    name = serializers.CharField()
    service_id = serializers.CharField(help_text="Tjänste-id (HSA-id).")


class OrderDetail(OrderSerializer):
    """An order with the printed data, the delivery and the officer. All are null until the order is accepted, again once the
    card is sent, and if the card is revoked. An officer with protected identity is also null.
    """

    print = PrintSerializer(allow_null=True)
    delivery = DeliverySerializer(allow_null=True)
    id_administrator = IdAdministratorSerializer(allow_null=True)


class ProfileMap(serializers.Serializer[Any]):
    """The base of objects keyed by the four profiles."""

    child: type[serializers.Field[Any, Any, Any, Any]] = serializers.CharField

    def get_fields(self) -> dict[str, Any]:
        """Returns one required field for each profile."""
        return {profile: self.child() for profile in PROFILES}


@extend_schema_serializer(extensions=CLOSED)
class Csrs(ProfileMap, Closed):
    """Four certificate requests, each signed by its key on the card: all RSA-2048 or all P-256. Their subject is not used."""

    child = CsrField


class PemByProfile(ProfileMap):
    """PEM by profile."""


class CertificateRequest(serializers.Serializer[Any]):
    """The card: its serial number, its card key, which needs no code, and the requests for its four certificates."""

    card_serial = Text(pattern=r"^[0-9]{19}$")
    card_key = PublicKeyField(help_text="The card key (P-256, without code).")
    csrs = Csrs()


class Certificates(serializers.Serializer[Any]):
    """The certificates, and for each its chain: the issuing CA first, the root last."""

    status = serializers.ChoiceField(choices=ISSUED)
    certificates = PemByProfile()
    chains = PemByProfile()


class Pending(serializers.Serializer[Any]):
    """The certificates are being signed."""

    status = serializers.ChoiceField(choices=PENDING)


class ProducedReport(serializers.Serializer[Any]):
    """The card is produced."""

    type = serializers.ChoiceField(choices=["produced"])
    mifare_id = Text(pattern=r"^[0-9A-Za-z]{1,10}$")
    puk_jwe = Text(max_length=_JWE_LIMIT, required=False, help_text=_PUK_FORM)
    no_puk = Flag(
        required=False, help_text="True for a card without PUK, in place of puk_jwe. A card that is certified here has one."
    )


class SentReport(serializers.Serializer[Any]):
    """The card is handed to the post. The report is parked until the card's PUK is sealed, and then
    applied with the given day.
    """

    type = serializers.ChoiceField(choices=["sent"])
    sent_on = serializers.DateField(help_text="The day in Sweden, not in the future.")
    registered_mail_id = Text(
        pattern=r"^[A-Z]{2}[0-9A-Z]{9}SE$", required=False, help_text="REK-id; required for articles by registered mail."
    )


class FailedReport(serializers.Serializer[Any]):
    """The card cannot be made or is spoilt. The order ends and its certificates are revoked. Applies until the card is sent. A
    later report is noted and changes nothing.
    """

    type = serializers.ChoiceField(choices=["failed"])
    reason = Text(pattern=REASON, help_text="The supplier's code.")


class ReturnedReport(serializers.Serializer[Any]):
    """The consignment came back. The order ends and the card is revoked. If the holder has chosen the card's code, the report
    is noted and changes nothing, because only the issuer revokes a card in use.
    """

    type = serializers.ChoiceField(choices=["returned"])
    reason = Text(pattern=REASON, required=False, help_text="The supplier's code.")


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

    id = serializers.CharField(source="customisation_id", help_text="10 digits.")
    name = serializers.CharField()
    issuer_number = serializers.CharField()
    back_text = serializers.CharField()
    logotype_sha256 = serializers.CharField(source="logotype_id", allow_null=True)
    verified = serializers.SerializerMethodField()

    def get_verified(self, row: Any) -> bool:
        """True if the issuer has verified it."""
        verified_at: dt.datetime | None = row.verified_at
        return verified_at is not None


@extend_schema_field({"type": "string", "contentEncoding": "base64", "maxLength": 400_000})
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
    sha256 = Text(pattern=r"^[0-9a-f]{64}$", help_text="SHA-256 of the PNG.")


class Jwk(serializers.Serializer[Any]):
    """A public key (RFC 7517)."""

    kty = serializers.CharField()
    crv = serializers.CharField()
    x = serializers.CharField()
    y = serializers.CharField()
    use = serializers.CharField()
    alg = serializers.CharField()
    kid = serializers.CharField()


class JwkSet(serializers.Serializer[Any]):
    """The keys to encrypt PUKs to, the newest first."""

    keys = Jwk(many=True)
