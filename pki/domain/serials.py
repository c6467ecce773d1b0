"""Certificate serial numbers (RFC 5280 section 4.1.2.2): positive, at most 20 octets, with at least 64 random bits (B1.1)."""

import secrets

TIME_BITS, RANDOM_BITS = 48, 72
PLAIN_BITS = 127


def time_random(milliseconds: int) -> int:
    """15 octets: 48 bits of Unix time in milliseconds, then 72 random bits. Ordered in time, unguessable, positive to 6429."""
    return (milliseconds & ((1 << TIME_BITS) - 1)) << RANDOM_BITS | secrets.randbits(RANDOM_BITS)


def random() -> int:
    """16 octets, 126 random bits after a leading one, so that the length is constant and the sign bit is clear."""
    return 1 << (PLAIN_BITS - 1) | secrets.randbits(PLAIN_BITS - 1)


def text(serial: int) -> str:
    """Returns the serial as stored: upper-case hex of whole octets without a leading zero octet. ValueError if not positive."""
    if serial <= 0:
        raise ValueError("a serial is positive")
    return serial.to_bytes((serial.bit_length() + 7) // 8).hex().upper()


def number(serial: str) -> int:
    """Parses a stored serial. Raises ValueError if it is not hex, or longer than 20 octets as an INTEGER."""
    value = int(serial, 16)
    if not 0 < value < 1 << 159:
        raise ValueError("a serial is positive and at most 20 octets")
    return value
