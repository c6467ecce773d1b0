"""Card customisations: how a card looks, who verifies that, and what issuers request."""
