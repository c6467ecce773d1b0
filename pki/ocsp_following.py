"""Whether the OCSP responder knows what a CRL is about to tell (B1.33): a revocation shows there first, or at the same time."""

import time
from pathlib import Path
from typing import Final

import structlog
from django.conf import settings

from pki.ocspd.reading import Store, StoreMissing
from pki.ocspd.telling import LATE
from siths_portal.lib import clock

log = structlog.get_logger(__name__)

WAIT: Final = 5.0
"""Seconds that a CRL waits for the store of OCSP answers to follow."""


def await_store() -> bool:
    """Waits until the store has everything that is committed now; whether it has, or there is no store.

    Does not wait for a store that nobody keeps up: a CRL that is due is worth more than the order of the two, and the responder
    says that its answers are old.
    """
    moment = clock.now().timestamp()
    store = Store(Path(settings.PKI_OCSP_STORE_DIR))
    deadline = time.monotonic() + WAIT
    while True:
        try:
            followed = store.index().followed_at
        except StoreMissing:
            return True
        if followed >= moment:
            return True
        if followed < moment - LATE or time.monotonic() > deadline:
            log.error("ocsp_store.behind_a_crl", seconds=round(clock.now().timestamp() - followed, 1))
            return False
        time.sleep(0.05)
