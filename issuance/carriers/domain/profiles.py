"""Certificate profiles of a card: one pair with the HSA-id, which belongs to the eID, and one with the person id."""

HSA_PROFILES = ("person-hsaid-auth", "person-hsaid-sign")
PERSON_ID_PROFILES = ("person-id-auth", "person-id-sign")
PROFILES = HSA_PROFILES + PERSON_ID_PROFILES
