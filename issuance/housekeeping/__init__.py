"""Scheduled work on carriers, and the comparison of states with sealed events."""
