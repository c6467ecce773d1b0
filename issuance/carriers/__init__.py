"""Cards and their eIDs: the declaration of each kind, states and steps, and the certificates on a carrier."""
