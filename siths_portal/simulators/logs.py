"""Logging of the simulators: the portal's lines on standard error, set up when the first one is due.

Simulators write what they do to standard output and log nothing themselves; libraries and Python's warnings may. What turns
their records into lines (structlog, the redaction) costs more than the rest of a simulator's start, and most never need it.
"""

import logging


class _WhenDue(logging.Handler):
    """In the place of the portal's handler until a record comes."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Sets up the portal's logging in its own stead and hands the record on; of several threads the first does."""
        from siths_portal.lib.monitoring import (
            logging as portal_logging,  # before the lock: another thread may log while it imports
        )

        root = logging.getLogger()
        self.acquire()
        try:
            if self in root.handlers:
                portal_logging.configure(debug=False)
                root.removeHandler(self)
        finally:
            self.release()
        root.handle(record)
        return True


def configure() -> None:
    """Once per process."""
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    root.addHandler(_WhenDue())
    logging.captureWarnings(True)
