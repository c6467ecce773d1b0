"""Register care (Registervård): work lists of what the catalogue, the register and time have made wrong (rules/issuance 7.11)."""
