"""Reserve cards handed out to persons: by one officer on level 2, by two on level 3."""
