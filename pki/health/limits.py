"""The limits by which the checks judge what they measure. The operators' page shows them beside the values."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from pki.ocspd import metrics as ocspd_metrics

SIGNING_SLOW, SIGNING_STOPPED = dt.timedelta(minutes=1), dt.timedelta(minutes=5)  # the sweeper runs every 3 s
SEAL_WAIT, MAC_WAIT = dt.timedelta(minutes=1), dt.timedelta(minutes=5)  # both jobs run every 5 s
VERIFIED_AGE = dt.timedelta(days=2)  # verified daily
STORE_LATE, STORE_GIVEN_UP = dt.timedelta(seconds=ocspd_metrics.LATE), dt.timedelta(seconds=ocspd_metrics.GIVEN_UP)
CLOCKS_APART = dt.timedelta(seconds=5)
CA_WARNING, CA_LAST = dt.timedelta(days=365), dt.timedelta(days=90)
SIGNER_WARNING = dt.timedelta(days=10)  # renewed when 15 days are left
BACKUP_LATE, BACKUP_MISSED = dt.timedelta(hours=30), dt.timedelta(hours=54)  # made each night
TLS_WARNING, TLS_LAST = dt.timedelta(days=30), dt.timedelta(days=7)


@dataclass(frozen=True)
class Limit:
    """The value from which a kind of finding is no longer as it should be, in the unit of its measure.

    `least`: values below the limit are bad, else those above it.
    """

    value: float
    least: bool = False


LIMITS: Mapping[str, Limit] = {
    "signering": Limit(SIGNING_SLOW.total_seconds()),
    "händelsesigill": Limit(SEAL_WAIT.total_seconds()),
    "MAC": Limit(MAC_WAIT.total_seconds()),
    "händelsekedja": Limit(VERIFIED_AGE.days),
    "ocsp-lager": Limit(STORE_LATE.total_seconds()),
    "ocsp-process": Limit(1, least=True),
    "klocka": Limit(CLOCKS_APART.total_seconds()),
    "nyckelinventering": Limit(0),
    "kortcertifikat": Limit(0),
    "ca": Limit(CA_WARNING.days, least=True),
    "ocsp-signer": Limit(SIGNER_WARNING.days, least=True),
    "säkerhetskopia": Limit(BACKUP_LATE.total_seconds()),
    "tls": Limit(TLS_WARNING.days, least=True),
    "svarstid": Limit(500),
    "svarstid-system": Limit(2000),
}
"""The limit by the first word of a finding's subject. A CRL's depends on its CA and is not here."""

JOURNAL_LOW, JOURNAL_STOPS = 2_000_000_000, 200_000_000
"""Free bytes on the journal's volume below which somebody should look, and below which issuing is about to stop. A certificate
takes two to three kilobytes."""

VOLUME_LOW, VOLUME_FULL = 2_000_000_000, 500_000_000
"""The same for the volumes of `var/` and of the backups."""
