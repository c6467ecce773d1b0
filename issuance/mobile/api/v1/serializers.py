"""The JSON forms of the device API. Bytes are Base64 in the standard alphabet."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from issuance.carriers.domain.kinds import MOBILE_EID
from issuance.mobile.domain.states import EnrolmentState
from issuance.mobile.models import LONGEST_NAME
from siths_portal.lib.certificates import key_attestations
from siths_portal.lib.certificates.signatures import CARD_FORMAT
from siths_portal.lib.rest.fields import Base64Field, Closed, CsrField, Pem, PublicKeyField, Text, Words
from siths_portal.lib.rest.openapi import CLOSED

PROFILES = MOBILE_EID.profiles()
PENDING = ["pending"]
_JWT = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"


def _state(state: EnrolmentState) -> Text:
    """Returns the field of a response's state. It is no enumeration, whose name other APIs of the same site would have too."""
    return Text(max_length=len(state.value), pattern=rf"^{state.value}$")


def _attestation(of: str) -> Text:
    return Text(
        max_length=key_attestations.LONGEST,
        pattern=_JWT,
        help_text=f"The JWT of OpenID4VCI 1.0 appendix D.1 (typ {key_attestations.TYPE}, x5c) by the device's maker, of {of}.",
    )


@extend_schema_serializer(extensions=CLOSED)
class DeviceStartRequest(Closed):
    """The app's proof of the device."""

    device = Words(max_length=LONGEST_NAME, help_text="The holder's name of the device.")
    device_key = PublicKeyField(help_text="The first key on the device, P-256, as PEM (SubjectPublicKeyInfo).")
    attestation = _attestation("device_key")
    origin = Text(max_length=200, pattern=r"^[\x21-\x7e]+$", help_text="The origin of Mina sidor, as the app was told it.")
    signature = Base64Field(
        max_length=120,
        help_text=(
            "ECDSA-Sig-Value (RFC 3279) by device_key, with SHA-256, over the UTF-8 bytes of the canonical JSON (sorted names, "
            "no white space) of attestation_sha256 (lower-case hex), device, handle, kind (mobile) and origin."
        ),
    )


class DeviceStartAnswer(serializers.Serializer[Any]):
    """The response to the device that took the start code."""

    step_token = Text(max_length=47, pattern=r"^mob\.[A-Za-z0-9_-]{43}$", help_text="The bearer token of the further calls.")
    expires_at = serializers.DateTimeField()
    organisation = Words(max_length=200, help_text="The issuer, to be shown.")
    terms = Words(max_length=100_000, help_text="What the holder has accepted, to be shown on demand.")
    profiles = serializers.ListField(
        child=serializers.ChoiceField(choices=PROFILES), help_text="Make a key in the device's protected store for each."
    )


@extend_schema_serializer(extensions=CLOSED)
class DeviceNewRequests(Closed):
    """A certificate request (PKCS #10) for each key, as PEM."""

    def get_fields(self) -> dict[str, Any]:
        """Returns a field for each profile."""
        return {profile: CsrField() for profile in PROFILES}


@extend_schema_serializer(extensions=CLOSED)
class DeviceCertificatesRequest(Closed):
    """The request for certificates of the keys, signed by the first key."""

    csrs = DeviceNewRequests()
    attestation = _attestation("the keys of csrs")
    signature = Base64Field(
        max_length=120,
        help_text=(
            "ECDSA-Sig-Value (RFC 3279) by device_key, with SHA-256, over the UTF-8 bytes of the canonical JSON of handle_sha256 "
            "and csrs: the SHA-256 of the start code and of the DER of each request by profile, in lower-case hex."
        ),
    )


class DeviceNewCertificates(serializers.Serializer[Any]):
    """The certificates for the device, as PEM."""

    def get_fields(self) -> dict[str, Any]:
        """Returns a field for each profile."""
        return {profile: Pem() for profile in PROFILES}


class DeviceCertificatesAnswer(serializers.Serializer[Any]):
    """The certificates, and what the new key signs when the code is chosen."""

    certificates = DeviceNewCertificates()
    statement = Base64Field(
        max_length=8192,
        help_text="Canonical JSON of the enrolment, the carrier, the terms and the SHA-256 of each certificate (DER).",
    )


class DevicePendingAnswer(serializers.Serializer[Any]):
    """The certificates are being made."""

    status = serializers.ChoiceField(choices=PENDING)


class DeviceCodeSetAnswer(serializers.Serializer[Any]):
    """The code is recorded."""

    state = _state(EnrolmentState.CODE_SET)


@extend_schema_serializer(extensions=CLOSED)
class DeviceCompleteRequest(Closed):
    """The holder's confirmation."""

    signature = Base64Field(max_length=700, help_text=f"Over statement, by the key of mobile-sign: {CARD_FORMAT}")


class DeviceCompleteAnswer(serializers.Serializer[Any]):
    """The mobile eID is active."""

    state = _state(EnrolmentState.COMPLETED)
    valid_to = serializers.DateTimeField(help_text="Its end, exclusive.")


class DeviceCancelAnswer(serializers.Serializer[Any]):
    """The enrolment is cancelled."""

    state = _state(EnrolmentState.CANCELLED)
