"""Offices, at which cards are ordered and handed over, and the organisations that may choose them."""
