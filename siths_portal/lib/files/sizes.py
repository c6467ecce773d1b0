"""File sizes as text."""


def megabytes(size: int) -> str:
    """Returns `size` in megabytes, rounded up to a tenth, so that a size above a limit is never shown as the limit."""
    tenths = -(-size * 10 // (1024 * 1024))
    return f"{tenths // 10} MB" if tenths % 10 == 0 else f"{tenths // 10},{tenths % 10} MB"
