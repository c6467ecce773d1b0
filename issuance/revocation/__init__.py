"""Revocation of cards and eIDs, the limit for one officer, and revocations that wait for a second officer."""
