"""Versioned texts that organisations add to receipts."""
