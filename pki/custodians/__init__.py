"""Start by two (rules/pki 7.3, S25): the token's PIN is in two shares, and two custodians enter them when a process starts."""
