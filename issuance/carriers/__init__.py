"""Cards and their eIDs: the declaration of each kind, states and transitions, and the certificates on a carrier."""
