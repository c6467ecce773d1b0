"""Dagen: the first page after log-in, with what waits for the user, and the small lists that its lines lead to."""
