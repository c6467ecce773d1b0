"""Stock of reserve cards at offices."""
