"""A bound on the memory of a child process, set by the child before it loads what needs much. Knows no Django."""

import resource


def limit_memory(size: int) -> None:
    """Limits the calling process to `size` bytes of writable memory; libraries that reserve more addresses still work."""
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
