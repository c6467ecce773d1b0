"""Texts that organisations add to receipts, in versions."""
