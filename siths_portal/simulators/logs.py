"""Logging of the simulators: the portal's log format on standard error, configured at the first log line.

Simulators print to standard output and do not log themselves; libraries and Python's warnings may. Loading structlog and the
redaction takes longer than the rest of a simulator's start, and most never need it.
"""

import logging


class _WhenDue(logging.Handler):
    """A handler that installs the portal's handler at the first record."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Configures the portal's logging, once, and passes the record on."""
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
    """Installs the handler. Call it once for each process."""
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    root.addHandler(_WhenDue())
    logging.captureWarnings(True)
