"""Fields and serializers of our JSON APIs, which are stricter than those of REST framework."""

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

WORDS = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
"""The characters of a free text: Unicode without control characters but tab and line ends."""
ASCII_LINES = r"^[\x20-\x7e\r\n]*$"
"""The characters of PEM (RFC 7468)."""
BASE64 = r"^[A-Za-z0-9+/]*={0,2}$"
CURSOR = r"^[A-Za-z0-9_-]+$"
_PEM_LIMIT = 8192
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Text(serializers.CharField):
    """A JSON string. Refuses numbers and booleans, which REST framework would convert to text."""

    def __init__(self, *, pattern: str = "", **options: Any) -> None:
        # Python's $ also matches before a final line feed, that of JSON Schema does not. So the code uses \Z where OpenAPI has $.
        whole = pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern
        validators = [RegexValidator(whole, "Värdet har inte rätt form.")] if pattern else []
        super().__init__(trim_whitespace=False, **options)
        self.validators += validators

    def to_internal_value(self, data: Any) -> str:
        """Returns the string unchanged."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Words(Text):
    """Free text of at most `max_length` characters."""

    def __init__(self, *, max_length: int, **options: Any) -> None:
        super().__init__(pattern=WORDS, max_length=max_length, **options)


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": 200, "pattern": CURSOR})
class CursorField(Text):
    """A cursor of an earlier page. Any text passes here; the view refuses what is none."""

    def __init__(self) -> None:
        super().__init__(required=False, max_length=200, help_text="next_cursor of the page before.")


@extend_schema_field({"type": "string", "format": "pem", "maxLength": 32_768, "pattern": ASCII_LINES})
class Pem(Text):
    """Certificates in PEM, in a response."""


class Whole(serializers.IntegerField):
    """A JSON integer. Refuses text and booleans, which REST framework would convert to a number."""

    def to_internal_value(self, data: Any) -> int:
        """Returns the number."""
        if type(data) is not int:
            self.fail("invalid")
        return int(super().to_internal_value(data))


class Flag(serializers.BooleanField):
    """A JSON boolean. Refuses text and numbers, which REST framework would convert to a boolean."""

    def to_internal_value(self, data: Any) -> bool:
        """Returns the boolean."""
        if type(data) is not bool:
            self.fail("invalid", input=data)
        return bool(data)


class Moment(serializers.DateTimeField):
    """A time with offset in the form of RFC 3339 section 5.6, converted to a datetime in UTC. Refuses times before 2000."""

    EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)

    def to_internal_value(self, value: Any) -> dt.datetime:
        """Returns the time in UTC."""
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
    """A JSON object with only the declared members. Subclasses use `extensions=CLOSED` for the OpenAPI description."""

    def to_internal_value(self, data: Any) -> Any:
        """Returns the values. Raises ValidationError with each undeclared member."""
        values = super().to_internal_value(data)
        if unknown := sorted(set(data) - set(self.fields)):
            raise serializers.ValidationError({name[:40]: ["Okänt fält."] for name in unknown[:10]})
        return values


@extend_schema_field({"type": "string", "format": "pem", "maxLength": _PEM_LIMIT, "pattern": ASCII_LINES})
class CsrField(Text):
    """A certificate request (RFC 2986) in PEM, converted to DER."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=_PEM_LIMIT, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Returns the request in DER."""
        try:
            request = x509.load_pem_x509_csr(super().run_validation(data).encode())
            return request.public_bytes(serialization.Encoding.DER)
        except UNREADABLE:
            raise serializers.ValidationError("Ange en certifikatbegäran (PKCS #10) i PEM.") from None


@extend_schema_field({"type": "string", "format": "pem", "maxLength": _PEM_LIMIT, "pattern": ASCII_LINES})
class PublicKeyField(Text):
    """A public key (SubjectPublicKeyInfo) in PEM, converted to DER."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=_PEM_LIMIT, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Returns the key in DER."""
        try:
            key = serialization.load_pem_public_key(super().run_validation(data).encode())
            return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        except (ValueError, UnsupportedAlgorithm):
            raise serializers.ValidationError("Ange en publik nyckel (SubjectPublicKeyInfo) i PEM.") from None


@extend_schema_field({"type": "string", "format": "pem", "maxLength": _PEM_LIMIT, "pattern": ASCII_LINES})
class CertificateField(Text):
    """A certificate (RFC 5280) in PEM, converted to DER."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=_PEM_LIMIT, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Returns the certificate in DER."""
        try:
            certificate = x509.load_pem_x509_certificate(super().run_validation(data).encode())
        except UNREADABLE:
            raise serializers.ValidationError("Ange ett certifikat i PEM.") from None
        return certificate.public_bytes(serialization.Encoding.DER)


class Base64Field(Text):
    """Padded Base64 in the standard alphabet (RFC 4648 section 4), converted to bytes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(pattern=BASE64, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Returns the bytes."""
        text = super().run_validation(data)
        try:
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise serializers.ValidationError("Ange Base64 med standardalfabetet.") from None

    def to_representation(self, value: Any) -> str:
        """Returns bytes as Base64."""
        return base64.b64encode(value).decode()
