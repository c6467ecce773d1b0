"""Profiles of the certificates on ordinary cards, by what they belong to, in the order in which they are requested."""

from issuance.carriers.domain.kinds import ORDINARY_CARD, Owner

HSA_PROFILES = ORDINARY_CARD.profiles(Owner.EID)
PERSON_ID_PROFILES = ORDINARY_CARD.profiles(Owner.CARRIER)
PROFILES = HSA_PROFILES + PERSON_ID_PROFILES
