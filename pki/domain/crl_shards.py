"""Shards of a CA's certificates, each with a CRL of its own (RFC 5280 section 5.2.5), for CAs whose list grows large.

A certificate names the list of its shard, so the function that gives a serial its shard never changes, nor does a CA's number of
shards.
"""

SHARDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""How many a CA may have: powers of two, so that the serial's last octet tells the shard."""


def shard_of(serial: int, shards: int) -> int:
    """The shard of a serial. Its last octet is random in every way of drawing serials, so shards grow alike."""
    return serial % shards


def endings(shard: int, shards: int) -> list[str]:
    """The last two hexadecimal digits that serials of this shard have, in the form in which rows hold serials."""
    return [f"{last:02X}" for last in range(shard, 256, shards)]


def list_name(file_stem: str, shard: int | None) -> str:
    """Name of the published file: the CA's, with the shard after a hyphen, which no CA's stem has."""
    return f"{file_stem}.crl" if shard is None else f"{file_stem}-{shard}.crl"
