"""How far an issued document has come on its way to the buyer, for its page, which updates itself as long as that changes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from billing.invoices.models import FileFormat
from siths_portal.lib.registry import Slot


@dataclass(frozen=True)
class Way:
    """Where the outbox has a document: the name of the state, and whether it changes without a person."""

    state: str
    moves: bool


WAYS: Slot[Callable[[UUID], Way | None]] = Slot()
"""`billing.delivery` registers what returns the way of an invoice, by its key; None for one that was never queued."""


@dataclass(frozen=True)
class DocumentProgress:
    """Whether all files of a document are made, and its way to the buyer."""

    has_files: bool
    way: Way | None

    @classmethod
    def of(cls, invoice_id: UUID, formats: Collection[str]) -> Self:
        """Returns the progress of a document with files in these formats."""
        return cls(set(FileFormat.values) <= set(formats), WAYS.get()(invoice_id))

    @property
    def follows(self) -> bool:
        """Whether tasks work on the document, so that its page changes by itself."""
        return not self.has_files or (self.way is not None and self.way.moves)

    @property
    def mark(self) -> str:
        """What the page shows as a whole; a poll that finds another mark loads the page again."""
        return f"{'filer' if self.has_files else 'utan'}-{self.way.state if self.way else 'ingen'}"
