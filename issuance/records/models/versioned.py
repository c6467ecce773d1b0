"""Base of the rows that people edit: each edit is made against the version that was read (ADR 0180)."""

from typing import ClassVar

from django.db import models


class Versioned(models.Model):
    """A row with a `version`, which begins at 1 and rises by one with each edit. `subject` is the row's name in events."""

    subject: ClassVar[str]

    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        abstract = True
