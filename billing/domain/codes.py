"""Article codes of what is no card article of the portal. A card article's code is its number, -REK for registered mail."""

SUBSCRIPTION = "ABO"
PUK_LETTER = "PUK"
RESERVE_CARD = "RESERV"
