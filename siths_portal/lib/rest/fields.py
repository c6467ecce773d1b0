"""Fields and serializers that our JSON APIs share: strict where REST framework would be lenient."""

import base64
import binascii
import datetime as dt
import re
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from siths_portal.lib.certificates.unreadable import UNREADABLE

_PEM_LIMIT = 8192
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Text(serializers.CharField):
    """A JSON string; numbers and booleans are refused where REST framework would turn them into text."""

    def __init__(self, *, pattern: str = "", **options: Any) -> None:
        # Python's $ also matches before a last line feed, that of JSON Schema does not; the description says $ for \Z.
        whole = pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern
        validators = [RegexValidator(whole, "Värdet har inte rätt form.")] if pattern else []
        super().__init__(trim_whitespace=False, **options)
        self.validators += validators

    def to_internal_value(self, data: Any) -> str:
        """The string as it is."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A JSON number without a fraction; text and booleans are refused where REST framework would turn them into a number."""

    def to_internal_value(self, data: Any) -> int:
        """The number as it is."""
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


class Flag(serializers.BooleanField):
    """A JSON boolean; text and numbers are refused where REST framework would turn them into one."""

    def to_internal_value(self, data: Any) -> bool:
        """The value as it is."""
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return bool(data)


class Moment(serializers.DateTimeField):
    """A moment with its offset as RFC 3339 section 5.6 writes it; becomes a datetime in UTC. Nothing before 2000 is taken."""

    EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)

    def to_internal_value(self, value: Any) -> dt.datetime:
        """The moment."""
        try:
            if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
                raise ValueError
            moment = dt.datetime.fromisoformat(value).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            raise serializers.ValidationError("Ange tid med datum och zon, till exempel 2026-01-31T08:30:00Z.") from None
        if moment < self.EARLIEST:
            raise serializers.ValidationError("Ange en tid efter år 1999.")
        return moment


class Closed(serializers.Serializer[Any]):
    """A JSON object with the members that are declared and no others. Mark it `extensions=CLOSED` for its description."""

    def to_internal_value(self, data: Any) -> Any:
        """The values. ValidationError names each member that is not declared."""
        values = super().to_internal_value(data)
        if unknown := sorted(set(data) - set(self.fields)):
            raise serializers.ValidationError({name[:40]: ["Okänt fält."] for name in unknown[:10]})
        return values


@extend_schema_field({"type": "string", "format": "pem", "maxLength": _PEM_LIMIT})
class CsrField(Text):
    """A certificate request (RFC 2986) as PEM; becomes DER."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=_PEM_LIMIT, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """DER of the request."""
        try:
            request = x509.load_pem_x509_csr(super().run_validation(data).encode())
            return request.public_bytes(serialization.Encoding.DER)
        except UNREADABLE:
            raise serializers.ValidationError("Ange en certifikatbegäran (PKCS #10) i PEM.") from None


@extend_schema_field({"type": "string", "format": "pem", "maxLength": _PEM_LIMIT})
class PublicKeyField(Text):
    """A public key (SubjectPublicKeyInfo) as PEM; becomes DER."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=_PEM_LIMIT, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """DER of the key."""
        try:
            key = serialization.load_pem_public_key(super().run_validation(data).encode())
            return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        except (ValueError, UnsupportedAlgorithm):
            raise serializers.ValidationError("Ange en publik nyckel (SubjectPublicKeyInfo) i PEM.") from None


@extend_schema_field({"type": "string", "format": "pem", "maxLength": _PEM_LIMIT})
class CertificateField(Text):
    """A certificate (RFC 5280) as PEM; becomes DER."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=_PEM_LIMIT, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """DER of the certificate."""
        try:
            certificate = x509.load_pem_x509_certificate(super().run_validation(data).encode())
        except UNREADABLE:
            raise serializers.ValidationError("Ange ett certifikat i PEM.") from None
        return certificate.public_bytes(serialization.Encoding.DER)


class Base64Field(Text):
    """Bytes in the standard alphabet of RFC 4648 section 4, padded; becomes bytes."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """The bytes."""
        text = super().run_validation(data)
        try:
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise serializers.ValidationError("Ange Base64 med standardalfabetet.") from None

    def to_representation(self, value: Any) -> str:
        """The text of bytes."""
        return base64.b64encode(value).decode()
