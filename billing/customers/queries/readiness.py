"""What hinders a customer's next invoice. Runs know, and register their answer, since they are a higher package (ADR 0337)."""

from collections.abc import Callable, Sequence
from uuid import UUID

from siths_portal.lib.registry import Slot

OBSTACLES: Slot[Callable[[UUID], Sequence[str]]] = Slot()
"""A function that returns a sentence for each obstacle to the party's invoice."""
