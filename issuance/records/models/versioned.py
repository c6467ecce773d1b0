"""Base of rows that people edit. Each edit is based on the version that the editor read (ADR 0180)."""

from typing import ClassVar

from django.db import models


class Versioned(models.Model):
    """A row with a `version`, which starts at 1; each edit increments it. `subject` is the row's name in events."""

    subject: ClassVar[str]

    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        abstract = True
