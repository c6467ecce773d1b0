"""Profiles of the certificates on ordinary cards, by what they belong to, in the order in which they are requested."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

from issuance.carriers.domain.kinds import ORDINARY_CARD, Owner
from issuance.records.domain.wording import said

HSA_PROFILES = ORDINARY_CARD.profiles(Owner.EID)
PERSON_ID_PROFILES = ORDINARY_CARD.profiles(Owner.CARRIER)
PROFILES = HSA_PROFILES + PERSON_ID_PROFILES
CERTIFICATE_USE: Mapping[str, str] = {"auth": _("Legitimering"), "sign": _("Underskrift")}


def certificate_use(profile: str) -> str:
    """What a certificate of a person's profile is for."""
    return said(CERTIFICATE_USE, profile.rsplit("-", 1)[-1])
