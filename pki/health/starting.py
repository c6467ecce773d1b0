"""Holds the `pki` worker back until two custodians have entered their shares, and says meanwhile what it waits for."""

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from django.conf import settings
from django.db import Error, connection

from pki import hsm
from pki.custodians import held
from pki.custodians.desk import Desk
from pki.custodians.entering import Entry, Progress, Refused
from pki.domain.findings import Finding, finding
from pki.domain.pin_shares import HALVES
from pki.health import checks, reports
from siths_portal.lib import clock
from siths_portal.lib.monitoring import health_server

log = structlog.get_logger(__name__)

OTHERS_AGE = dt.timedelta(minutes=6)
"""How old a report is that no other worker replaces: each measures every five minutes."""
_LOOK_SECONDS, _TELL_SECONDS = 0.2, 30.0


class SharesRefused(Exception):
    """The shares in PKI_SHARE_FILES do not open the token."""


def wait_for_custodians() -> None:
    """Returns when this process holds both shares: at once from files in development, else when two custodians entered them.

    The wait has no end. Liveness is answered during it and readiness is not. Raises SharesRefused, and OSError for a file that
    cannot be read or a socket that cannot be made.
    """
    if settings.PKI_SHARE_FILES:
        _from_files()
    else:
        held.shield()
        entry = Entry(verify=token_takes_pin, two_users=bool(settings.PKI_CUSTODIANS))
        Desk(settings.PKI_SHARE_SOCKET, entry, settings.PKI_CUSTODIANS)
        _wait(entry.progress)
    checks.show(_finding(Progress(HALVES).text))
    log.info("custodians.started")


def token_takes_pin() -> bool:
    """Logs in to the issuing token once. False only if the token refused the PIN: one that is away is asked again later."""
    try:
        hsm.issuing_hsm().health()
    except hsm.HsmPinError:
        return False
    except hsm.HsmError as error:
        log.warning("custodians.token_away", fault=type(error).__name__)
    return True


def _from_files() -> None:
    """Enters the shares of PKI_SHARE_FILES, as one custodian after the other would."""
    entry = Entry(verify=token_takes_pin, two_users=False)
    for number, file in enumerate(settings.PKI_SHARE_FILES, start=1):
        try:
            entry.enter(Path(file).read_text(), f"demo-custodian-{number}")
        except Refused as refused:
            raise SharesRefused(str(refused)) from None
    if not held.is_complete():
        raise SharesRefused(entry.progress().text)
    log.warning("custodians.shares_from_files", text="nobody entered a share: development reads both from files")


def _wait(progress: Callable[[], Progress]) -> None:
    check = {"custodians": lambda: None if progress().is_complete else progress().text}
    server = health_server.start(settings.WORKER_HEALTH_BIND, check) if settings.WORKER_HEALTH_BIND else None
    told = 0.0
    try:
        while not (seen := progress()).is_complete:
            if time.monotonic() - told >= _TELL_SECONDS or not told:
                told = time.monotonic()
                _tell(seen.text)
            time.sleep(_LOOK_SECONDS)
    finally:
        if server is not None:
            server.shutdown()
            server.server_close()


def _tell(text: str) -> None:
    """Shows the wait in the metrics and, unless another worker measures, on the operators' page. Goes on without a database."""
    log.warning("custodians.waiting", text=text)
    found = _finding(text)
    checks.show(found)
    try:
        latest = reports.latest_report()
        if latest is None or latest.findings[1:] == () or clock.now() - latest.seen_at > OTHERS_AGE:
            reports.keep([found])
    except Error:
        log.warning("custodians.not_shown")
    finally:
        connection.close()


def _finding(text: str) -> Finding:
    return finding(checks.CUSTODIANS, held.is_complete(), text)
