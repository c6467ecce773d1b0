"""The interface of the administration's overview to invoicing."""

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID


class InvoiceReadiness(Protocol):
    """What prevents the invoicing of cards in an area, for the area's next steps. `billing` implements it."""

    def invoice_obstacles(self, party_id: UUID, article_codes: Collection[str]) -> Sequence[str]:
        """Returns a Swedish sentence for each obstacle to invoicing the party today, if it orders these articles."""
        ...
