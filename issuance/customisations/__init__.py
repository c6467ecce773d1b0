"""Card customisations: the look of a card, its verification, and requests by issuers."""
