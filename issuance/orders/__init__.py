"""Orders of cards: the draft that the wizard fills, the order's rules, and the queued row that suppliers pull."""
