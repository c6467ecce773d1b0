"""The JSON forms of the supplier itself, of articles, and of lists of card customisations."""

from typing import Any

from rest_framework import serializers

from issuance.suppliers.api.v1.serializers import SHA_256, ArticleSerializer, CustomisationSerializer
from siths_portal.lib.rest.fields import CURSOR, CursorField, Text, Words

PAGE_LIMIT = 200


class PageQuery(serializers.Serializer[Any]):
    """Query parameters of a list."""

    limit = serializers.IntegerField(min_value=1, max_value=PAGE_LIMIT, default=50, help_text="The most entries on a page.")
    cursor = CursorField()


class ConnectionCertificate(serializers.Serializer[Any]):
    """The client certificate of the connection."""

    serial = Text(max_length=40, pattern=r"^[0-9A-F]+$", help_text="Hexadecimal, upper case.")
    sha256 = Text(max_length=64, pattern=SHA_256, help_text="The fingerprint: SHA-256 of its DER.")
    not_after = serializers.DateTimeField(help_text="Its end. Register the next certificate before that.")


class Limits(serializers.Serializer[Any]):
    """The limits of the client."""

    calls_per_minute = serializers.IntegerField(min_value=0, help_text="Calls in a minute, in each process.")
    page = serializers.IntegerField(min_value=1, help_text="Entries on a page.")
    batch = serializers.IntegerField(min_value=1, help_text="Entries of a batch.")
    body_bytes = serializers.IntegerField(min_value=1, help_text="Bytes of a request body.")


class Me(serializers.Serializer[Any]):
    """The supplier, as the portal knows it."""

    client_ref = Text(max_length=63, pattern=r"^[a-z0-9][a-z0-9-]*$", help_text="The name by which the supplier is registered.")
    name = Words(max_length=200)
    certificate = ConnectionCertificate()
    delivery = serializers.ChoiceField(
        choices=["pull", "push"], help_text="pull: the supplier fetches its orders. push: it also gets them by signed calls."
    )
    versions = serializers.ListField(
        child=Text(max_length=5, pattern=r"^v[0-9]+$"), max_length=10, help_text="Versions of this API."
    )
    limits = Limits()


class ListedArticle(ArticleSerializer):
    """An article."""

    kind = serializers.ChoiceField(choices=["ordinary", "student", "company", "reserve", "test"])
    assurance_level = serializers.IntegerField(min_value=2, max_value=3, help_text="LoA of the eIDs on the card.")
    generation = Words(max_length=20, help_text="The supplier's name of the product generation; empty without one.")
    valid_from = serializers.DateField(help_text="The first day on which it can be ordered.")
    valid_to = serializers.DateField(allow_null=True, help_text="The last day; null without an end.")


class ArticlePage(serializers.Serializer[Any]):
    """A page of articles, by code."""

    articles = ListedArticle(many=True)
    next_cursor = Text(allow_null=True, max_length=200, pattern=CURSOR, help_text="Opaque; null on the last page.")


class CustomisationPage(serializers.Serializer[Any]):
    """A page of card customisations, by id."""

    customisations = CustomisationSerializer(many=True)
    next_cursor = Text(allow_null=True, max_length=200, pattern=CURSOR, help_text="Opaque; null on the last page.")
