"""Stored bytes of records (photos, receipts, invoices), keyed by their SHA-256 and written in the record's transaction."""

from collections.abc import Iterator
from typing import Any, Self

import structlog
from django.db import connection, models

from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Altered

log = structlog.get_logger(__name__)
_CHUNK = 500


class Document(models.Model):
    """Base of each application's documents table. It is insert-only and stores the same bytes once."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    content = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        abstract = True

    @classmethod
    def store(cls, content: bytes, media_type: str) -> Self:
        """Stores `content` unless the table has these bytes, in the caller's transaction, and returns the row."""
        digest = sha256_hex(content)
        manager: Any = cls.objects  # type: ignore[attr-defined]
        manager.bulk_create(
            [cls(sha256=digest, media_type=media_type, size=len(content), content=content, created_at=clock.now())],
            ignore_conflicts=True,
        )
        stored: Self = manager.get(sha256=digest)
        return stored

    def read(self) -> bytes:
        """Returns the stored bytes. Raises Altered, and logs an error, if they do not match their hash."""
        content = bytes(self.content)
        if sha256_hex(content) != self.pk:
            log.error("document.altered", table=self._meta.db_table, sha256=self.pk)
            raise Altered("document-altered", "Dokumentet visas inte, eftersom det har ändrats efteråt. Kontakta supporten.")
        return content


def altered(model: type[Document]) -> Iterator[tuple[int, list[str]]]:
    """Recomputes the hash of every stored document in the database, in chunks.

    Yields for each chunk its number of documents and the keys of documents whose bytes do not match hash or size.
    """
    table = connection.ops.quote_name(model._meta.db_table)
    statement = (
        "SELECT sha256, encode(sha256(content), 'hex') = sha256 AND length(content) = size "  # noqa: S608  # the table's own name
        f"FROM {table} WHERE sha256 > %s ORDER BY sha256 LIMIT {_CHUNK}"
    )
    after = ""
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, [after])
            rows = cursor.fetchall()
        if not rows:
            return
        after = rows[-1][0]
        yield len(rows), [key for key, agrees in rows if not agrees]
