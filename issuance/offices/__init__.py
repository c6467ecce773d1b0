"""Offices, where cards are ordered and handed over, and the organisations that may choose them."""
