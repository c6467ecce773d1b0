"""Nights without waiting, and a mail server in memory."""

from tests.issuance.register_care.conftest import at_once, mails

__all__ = ["at_once", "mails"]
