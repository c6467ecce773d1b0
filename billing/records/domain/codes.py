"""Codes of articles outside the portal's article list. A listed article's code is its number, with -REK for registered mail."""

SUBSCRIPTION = "ABO"
PUK_LETTER = "PUK"
RESERVE_CARD = "RESERV"
