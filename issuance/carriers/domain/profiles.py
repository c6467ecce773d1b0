"""Certificate profiles of ordinary cards by owner, in the order in which they are requested."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

from issuance.carriers.domain.kinds import ORDINARY_CARD, Owner
from issuance.records.domain.wording import label

HSA_PROFILES = ORDINARY_CARD.profiles(Owner.EID)
PERSON_ID_PROFILES = ORDINARY_CARD.profiles(Owner.CARRIER)
PROFILES = HSA_PROFILES + PERSON_ID_PROFILES
CERTIFICATE_USE: Mapping[str, str] = {"auth": _("Legitimering"), "sign": _("Underskrift")}


def certificate_use(profile: str) -> str:
    """Returns the label of a certificate's use."""
    return label(CERTIFICATE_USE, profile.rsplit("-", 1)[-1])
