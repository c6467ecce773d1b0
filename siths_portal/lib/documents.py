"""Bytes that belong to a record, stored in the database in the record's transaction, addressed by their SHA-256."""

from typing import Any, Self

from django.db import models

from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex


class Document(models.Model):
    """Base of each application's documents table: insert-only, the same bytes are stored once."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    content = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        abstract = True

    @classmethod
    def store(cls, content: bytes, media_type: str) -> Self:
        """Stores `content` unless these bytes are there, in the caller's transaction, and returns the row."""
        digest = sha256_hex(content)
        manager: Any = cls.objects  # type: ignore[attr-defined]
        manager.bulk_create(
            [cls(sha256=digest, media_type=media_type, size=len(content), content=content, created_at=clock.now())],
            ignore_conflicts=True,
        )
        stored: Self = manager.get(sha256=digest)
        return stored
