"""A memory limit that a child process sets for itself before it loads large libraries. Does not use Django."""

import resource


def limit_memory(size: int) -> None:
    """Limits the calling process to `size` bytes of writable memory. Libraries may still reserve more address space."""
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
