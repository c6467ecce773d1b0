"""What the overview of administration needs from the invoicing."""

from collections.abc import Collection, Sequence
from typing import Protocol
from uuid import UUID


class InvoiceReadiness(Protocol):
    """What the invoicing of cards lacks, so that an area's next steps can say so. `billing` implements it."""

    def invoice_obstacles(self, party_id: UUID, article_codes: Collection[str]) -> Sequence[str]:
        """Returns a Swedish sentence for each thing that stops the party's invoice today, if these articles are ordered."""
        ...
