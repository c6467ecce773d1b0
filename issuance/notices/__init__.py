"""E-mail to holders about their eIDs: one is new or ends soon, or a card was unlocked without a visit."""
