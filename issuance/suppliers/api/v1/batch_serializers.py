"""The JSON forms of batches. An entry names its order and has the body of the single call; a result has its answer."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from issuance.suppliers.api.v1 import serializers as forms
from issuance.suppliers.api.v1.items import LAST, ItemCertificateRequest, ItemCertificates
from siths_portal.lib.rest.batches import LIMIT
from siths_portal.lib.rest.fields import Closed
from siths_portal.lib.rest.openapi import CLOSED, Problem

_STATUS = "The status that the single call would have answered."


def _one_of(name: str, *bodies: type[serializers.Serializer[Any]]) -> Any:
    return extend_schema_field(PolymorphicProxySerializer(name, [*bodies, Problem], resource_type_field_name=None))(
        type(name, (serializers.JSONField,), {})
    )


class ItemNumber(serializers.IntegerField):
    """The number of an item. Without it an entry means the order's only one."""

    def __init__(self) -> None:
        super().__init__(
            min_value=1, max_value=LAST, required=False, help_text="The item's number; without it the order's only one."
        )


@extend_schema_serializer(extensions=CLOSED)
class AcceptEntry(Closed):
    """An order to accept."""

    order = serializers.UUIDField(help_text="Beställnings-id.")


@extend_schema_serializer(extensions=CLOSED)
class CertificateEntry(AcceptEntry):
    """A card, and the order and item that it is for."""

    item = ItemNumber()
    body = ItemCertificateRequest()


@extend_schema_field(PolymorphicProxySerializer("Report", {**forms.REPORTS}, resource_type_field_name="type"))
class ReportField(serializers.JSONField):
    """A report. `answers.report` validates it."""


@extend_schema_serializer(extensions=CLOSED)
class ReportEntry(AcceptEntry):
    """A report, and the order and item that it is on."""

    item = ItemNumber()
    body = ReportField()


@extend_schema_serializer(extensions=CLOSED)
class AcceptBatch(Closed):
    """Orders to accept."""

    entries: serializers.ListSerializer[Any] = serializers.ListSerializer(child=AcceptEntry(), min_length=1, max_length=LIMIT)


@extend_schema_serializer(extensions=CLOSED)
class CertificateBatch(Closed):
    """Cards to certify."""

    entries: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=CertificateEntry(), min_length=1, max_length=LIMIT
    )


@extend_schema_serializer(extensions=CLOSED)
class ReportBatch(Closed):
    """Reports, which are taken in this order."""

    entries: serializers.ListSerializer[Any] = serializers.ListSerializer(child=ReportEntry(), min_length=1, max_length=LIMIT)


class AcceptResult(serializers.Serializer[Any]):
    """The order, or the problem."""

    status = serializers.IntegerField(min_value=200, max_value=599, help_text=_STATUS)
    body = _one_of("OrderOrProblem", forms.OrderSerializer)()


class CertificateResult(serializers.Serializer[Any]):
    """The certificates, that they are being signed, or the problem."""

    status = serializers.IntegerField(min_value=200, max_value=599, help_text=_STATUS)
    body = _one_of("CertificatesOrProblem", ItemCertificates, forms.Pending)()


class ReportResult(serializers.Serializer[Any]):
    """The outcome of the report, or the problem."""

    status = serializers.IntegerField(min_value=200, max_value=599, help_text=_STATUS)
    body = _one_of("OutcomeOrProblem", forms.ReportOutcome)()


class AcceptResults(serializers.Serializer[Any]):
    """A result for each entry, in the same order."""

    results: serializers.ListSerializer[Any] = serializers.ListSerializer(child=AcceptResult(), max_length=LIMIT)


class CertificateResults(serializers.Serializer[Any]):
    """A result for each entry, in the same order."""

    results: serializers.ListSerializer[Any] = serializers.ListSerializer(child=CertificateResult(), max_length=LIMIT)


class ReportResults(serializers.Serializer[Any]):
    """A result for each entry, in the same order."""

    results: serializers.ListSerializer[Any] = serializers.ListSerializer(child=ReportResult(), max_length=LIMIT)
