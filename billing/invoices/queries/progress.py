"""How far an issued document has come on its way to the buyer, for its page, which updates itself as long as that changes."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from django.db.models import F

from billing.invoices.models import FileFormat
from siths_portal.lib.registry import Slot


@dataclass(frozen=True)
class Ways:
    """What `billing.delivery` knows: how a query finds an invoice's delivery state, and which states change by themselves."""

    state: F
    moving: frozenset[str]


WAYS: Slot[Ways] = Slot()


@dataclass(frozen=True)
class DocumentProgress:
    """Whether all files of a document are made, and the state of its delivery; None if it was never queued."""

    has_files: bool
    way: str | None

    @classmethod
    def of(cls, way: str | None, formats: Collection[str]) -> Self:
        """Returns the progress of a document with files in these formats, whose delivery has the state `way`."""
        return cls(set(FileFormat.values) <= set(formats), way)

    @property
    def follows(self) -> bool:
        """Whether tasks work on the document, so that its page changes by itself."""
        return not self.has_files or self.way in WAYS.get().moving

    @property
    def mark(self) -> str:
        """What the page shows as a whole; a poll that finds another mark loads the page again."""
        return f"{'filer' if self.has_files else 'utan'}-{self.way or 'ingen'}"
