"""Whether the OCSP responder knows what a CRL is about to tell (B1.33): a revocation shows there first, or at the same time.

The publisher keeps the store up. While it is gone nobody has the store's lock, and who makes a list looks in its place.
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
    """Sees to it that the store has everything that is committed now; whether it has, or there is no store.

    Waits for a publisher that is at work, and looks itself if there is none. A store that cannot be written, or that another
    process has without following, is told in the log and holds no list up for good: a CRL that is due is worth more than the
    order of the two, and the responder says that its answers are old. Raises OperationalError, InterfaceError.
    """
    folder, moment = Path(settings.PKI_OCSP_STORE_DIR), clock.now().timestamp()
    store, deadline = Store(folder), time.monotonic() + WAIT
    while True:
        try:
            followed = store.index().followed_at
        except StoreMissing:
            return True
        try:
            # One that was followed in the future was so by a clock that has gone back since, which says nothing.
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
    """Brings the store up, unless another process writes it; whether it did. Raises OSError, OperationalError, InterfaceError."""
    try:
        with Publisher(folder) as publisher:
            publisher.look()
    except StoreLocked:
        return False
    log.warning("ocsp_store.followed_for_a_crl")
    return True
