"""Sizes of files in words."""


def megabytes(size: int) -> str:
    """A size of bytes, rounded up to a tenth of a megabyte, so that it is never told as the limit that it exceeds."""
    tenths = -(-size * 10 // (1024 * 1024))
    return f"{tenths // 10} MB" if tenths % 10 == 0 else f"{tenths // 10},{tenths % 10} MB"
