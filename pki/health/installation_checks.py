"""Health checks of what the whole installation stands on: volumes, backups, and the TLS certificates of our own addresses.

The `pki` worker makes them with its own. Each is bounded: a handful of system calls, or a connection of a few seconds.
"""

import ssl
from collections.abc import Iterator
from itertools import chain
from os import statvfs
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from cryptography import x509
from django.conf import settings

from pki.domain.findings import Finding, Severity
from pki.health.limits import BACKUP_LATE, BACKUP_MISSED, TLS_LAST, TLS_WARNING, VOLUME_FULL, VOLUME_LOW
from siths_portal.lib import clock
from siths_portal.lib.files import backup_names

log = structlog.get_logger(__name__)

_CONNECT_SECONDS = 3.0


def inspect() -> list[Finding]:
    """Returns the findings. Never raises for a fault."""
    return list(chain(volumes(), backup(), certificates()))


def volumes() -> Iterator[Finding]:
    """Yields the free space of the volume of `var/`, and of that of the backups if it is another one that this process sees."""
    seen = set()
    for name, folder in (("var", Path(settings.VAR_DIR)), ("backup", Path(settings.BACKUP_DIR))):
        try:
            device, found = folder.stat().st_dev, statvfs(folder)
        except OSError:
            continue
        if device not in seen:
            seen.add(device)
            free = found.f_bavail * found.f_frsize
            severity = Severity.ERROR if free < VOLUME_FULL else Severity.WARNING if free < VOLUME_LOW else Severity.OK
            yield Finding(f"volym {name}", severity, f"{free / 1e9:.1f} GB ledigt")


def backup() -> Iterator[Finding]:
    """Yields how old the newest backup is. Nothing without BACKUP_RECIPIENT_FILES: then nobody has set up backups."""
    if not settings.BACKUP_RECIPIENT_FILES:
        return
    try:
        newest = backup_names.newest(Path(settings.BACKUP_DIR))
    except OSError as error:
        yield Finding("säkerhetskopia", Severity.WARNING, f"mappen går inte att läsa ({type(error).__name__})")
        return
    if newest is None:
        yield Finding("säkerhetskopia", Severity.WARNING, "ingen finns i mappen")
        return
    age = clock.now() - newest
    severity = Severity.OK if age < BACKUP_LATE else Severity.WARNING if age < BACKUP_MISSED else Severity.ERROR
    seconds = age.total_seconds()
    yield Finding("säkerhetskopia", severity, f"den senaste gjordes för {seconds // 3600:.0f} timmar sedan", "seconds", seconds)


def certificates() -> Iterator[Finding]:
    """Yields how long the TLS certificate of each of our https addresses is valid, as a client sees it.

    An address that does not answer yields nothing: the process may be where it cannot be reached, as in a container.
    """
    for url in (settings.PORTAL_BASE_URL, settings.MINASIDOR_BASE_URL, settings.LOGIN_BASE_URL, settings.API_BASE_URL):
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            continue
        try:
            # Whether its issuer is trusted is not asked: the fronts in development have certificates of our own CAs.
            pem = ssl.get_server_certificate((parts.hostname, parts.port or 443), timeout=_CONNECT_SECONDS)
            end = x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
        except (OSError, ValueError) as error:
            log.info("installation.address_not_reached", host=parts.netloc, fault=type(error).__name__)
            continue
        left = end - clock.now()
        severity = Severity.OK if left > TLS_WARNING else Severity.WARNING if left > TLS_LAST else Severity.ERROR
        yield Finding(f"tls {parts.netloc}", severity, f"certifikatet gäller {left.days} dagar till", "days", left.days)
