"""The AES keys that secrets are sealed under: one a year, each for a limited number of seals (E3).

GCM with random IVs bears 2^32 encryptions under one key (NIST SP 800-38D section 8.3), so they are counted before they are made.
An older key stays in the token when nothing is sealed under it any more: a database restored from a backup still needs it.
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
# A new key is made when this share of the newest one's seals is taken.
FULL = 0.9


def all_keks() -> QuerySet[HsmKey]:
    """Every KEK that is not retired, the newest first."""
    return HsmKey.objects.filter(purpose=KeyPurpose.KEK, retired_at=None).order_by("-created_at", "key_id")


def take(seals: int = 1) -> HsmKey:
    """The KEK to seal under: the newest that is not lost and has room for so many seals more, which are counted at once.

    Raises HsmConfigError if there is none.
    """
    fits = all_keks().filter(seals__lte=settings.KEK_SEALS_LIMIT - seals).exclude(finding=KeyFinding.MISSING)
    while (kek := fits.first()) is not None:
        if fits.filter(key_id=kek.key_id).order_by().update(seals=F("seals") + seals):
            return kek
    raise HsmConfigError("no key to seal secrets under")


def ensure_current() -> HsmKey | None:
    """This year's KEK, made if need be: when the year is new, the newest is nearly full or was found to be lost. Raises HsmError.

    None before a ceremony has made the first.
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
