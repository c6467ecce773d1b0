"""What HTML pages share: forms, buttons, error pages, secrets of a session."""
