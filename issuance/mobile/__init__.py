"""Mobile eIDs (Mobilt SITHS): a holder gets one for a device of their own, by an eID that they have (rules/issuance 5.12)."""
