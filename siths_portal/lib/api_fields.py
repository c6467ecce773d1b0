"""Fields and serializers that our JSON APIs share: strict where REST framework would be lenient."""

import base64
import binascii
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_PEM_LIMIT = 8192


class Text(serializers.CharField):
    """A JSON string; numbers and booleans are refused where REST framework would turn them into text."""

    def __init__(self, *, pattern: str = "", **options: Any) -> None:
        validators = [RegexValidator(pattern, "Värdet har inte rätt form.")] if pattern else []
        super().__init__(trim_whitespace=False, **options)
        self.validators += validators

    def to_internal_value(self, data: Any) -> str:
        """The string as it is."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Closed(serializers.Serializer[Any]):
    """A JSON object with the members that are declared and no others. Mark it `extensions=CLOSED` for its description."""

    def to_internal_value(self, data: Any) -> Any:
        """The values. ValidationError names each member that is not declared."""
        values = super().to_internal_value(data)
        if unknown := sorted(set(data) - set(self.fields)):
            raise serializers.ValidationError({name[:40]: ["Okänt fält."] for name in unknown[:10]})
        return values


@extend_schema_field({"type": "string", "format": "pem", "maxLength": _PEM_LIMIT})
class CertificateField(Text):
    """A certificate (RFC 5280) as PEM; becomes DER."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=_PEM_LIMIT, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """DER of the certificate."""
        try:
            certificate = x509.load_pem_x509_certificate(super().run_validation(data).encode())
        except ValueError:
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
