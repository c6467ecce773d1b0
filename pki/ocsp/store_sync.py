"""Ensures that the OCSP store has every revocation before a CRL lists it, or at the same time (B1.33).

A running publisher keeps the store up to date. If none runs, its lock on the store is free, and the process that makes the CRL
updates the store itself.
"""

import time
from pathlib import Path
from typing import Final

import structlog
from django.conf import settings

from pki.ocsp.publishing import Publisher
from pki.ocspd.reading import Store, StoreMissing
from pki.ocspd.writing import StoreLocked
from siths_portal.lib import clock

log = structlog.get_logger(__name__)

WAIT: Final = 60.0
"""Seconds that a CRL waits for another process that writes the store: half of its lease (`pki.crl.scopes.LEASE`)."""
_POLL: Final = 0.05


def await_store() -> bool:
    """Updates the store to everything that is committed now. Returns whether it is up to date; True also if there is no store.

    Waits for a running publisher, and updates the store itself if there is none. A failure is logged and does not block the CRL:
    the store may not be writable, or its writer may not follow the database. A due CRL matters more than the order of the two,
    and the responder reports that its responses are old. Raises OperationalError, InterfaceError.
    """
    folder, moment = Path(settings.PKI_OCSP_STORE_DIR), clock.now().timestamp()
    store, deadline = Store(folder), time.monotonic() + WAIT
    while True:
        try:
            followed = store.index().followed_at
        except StoreMissing:
            return True
        try:
            # A time in the future comes from a clock that has gone back since, and proves nothing.
            if moment <= followed <= clock.now().timestamp() or _look(folder):
                return True
            why = "Taken"
        except OSError as error:
            why, deadline = type(error).__name__, 0.0
        if time.monotonic() > deadline:
            log.error("ocsp_store.behind_a_crl", seconds=round(clock.now().timestamp() - followed, 1), error=why)
            return False
        time.sleep(_POLL)


def _look(folder: Path) -> bool:
    """Updates the store unless another process writes it; returns whether it did.

    Raises OSError, OperationalError, InterfaceError.
    """
    try:
        with Publisher(folder) as publisher:
            publisher.look()
    except StoreLocked:
        return False
    log.warning("ocsp_store.followed_for_a_crl")
    return True
