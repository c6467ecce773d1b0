"""Processes: start, end, child processes, and waking workers."""
