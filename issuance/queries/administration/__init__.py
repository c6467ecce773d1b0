"""What the pages of Administrera read: areas, organisations and offices in the actor's scope, and their history (domain.md 7)."""
