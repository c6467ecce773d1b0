"""The AES keys that seal secrets (KEKs): one a year, each for a limited number of seals (E3).

GCM with random IVs allows 2^32 encryptions under one key (NIST SP 800-38D section 8.3), so seals are counted before they are
made. An older key stays in the token after all its seals are replaced: a database restored from a backup still needs it.
"""

from itertools import count

import structlog
from django.conf import settings
from django.db.models import F, QuerySet
from django.utils import timezone

from pki.hsm import Algorithm, HsmConfigError, hsm_for
from pki.hsm.token_keys import WantedKey
from pki.models import HsmKey, KeyFinding, KeyPurpose
from siths_portal.lib import clock

log = structlog.get_logger(__name__)

ACTOR = "system:kek-rotation"
# A new key is made when this share of the newest one's seals is used.
FULL = 0.9


def all_keks() -> QuerySet[HsmKey]:
    """Returns every KEK that is not retired, the newest first."""
    return HsmKey.objects.filter(purpose=KeyPurpose.KEK, retired_at=None).order_by("-created_at", "key_id")


def take(seals: int = 1) -> HsmKey:
    """Returns the KEK to seal under: the newest that is not lost and allows so many more seals. Counts them at once.

    Raises HsmConfigError if there is none.
    """
    fits = all_keks().filter(seals__lte=settings.KEK_SEALS_LIMIT - seals).exclude(finding=KeyFinding.MISSING)
    while (kek := fits.first()) is not None:
        if fits.filter(key_id=kek.key_id).order_by().update(seals=F("seals") + seals):
            return kek
    raise HsmConfigError("no key to seal secrets under")


def ensure_current() -> HsmKey | None:
    """Returns this year's KEK. Makes one in a new year, or if the newest is nearly used up or lost. Raises HsmError.

    Returns None before a ceremony has made the first.
    """
    newest = all_keks().first()
    if newest is None:
        return None
    year = clock.today().year
    lost = newest.finding == KeyFinding.MISSING
    if timezone.localtime(newest.created_at).year == year and newest.seals < FULL * settings.KEK_SEALS_LIMIT and not lost:
        return newest
    stem = f"{newest.label.rpartition('/')[0] or newest.label}/{year}"
    taken = set(HsmKey.objects.filter(label__startswith=stem).values_list("label", flat=True))
    names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    label = next(name for name in names if name not in taken)
    log.info("kek.new", label=label, seals=newest.seals, lost=lost)
    return WantedKey(hsm_for(newest.token_label), KeyPurpose.KEK, label, Algorithm.AES_256).ensure(actor_ref=ACTOR)
