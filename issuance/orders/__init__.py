"""Orders of cards: the draft that the wizard fills, the rules for an order, and the queued row that suppliers fetch."""
