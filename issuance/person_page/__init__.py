"""The person's page: cards, eIDs, certificates and functions, with the reasons why one is off."""
