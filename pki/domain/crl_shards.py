"""Shards of a CA's certificates, each with its own CRL (RFC 5280 section 5.2.5), for CAs whose CRL grows large.

A certificate contains the URL of its shard's CRL, so the function from serial to shard never changes, nor does a CA's number of
shards.
"""

SHARDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Allowed numbers of shards per CA: powers of two, so that the serial's last octet determines the shard."""


def shard_of(serial: int, shards: int) -> int:
    """Returns the shard of a serial. The last octet is random in every serial mode, so shards grow evenly."""
    return serial % shards


def endings(shard: int, shards: int) -> list[str]:
    """Returns the last two hexadecimal digits that serials of this shard have, as stored in the database."""
    return [f"{last:02X}" for last in range(shard, 256, shards)]


def list_name(file_stem: str, shard: int | None) -> str:
    """Returns the name of the published file: the CA's, with the shard after a hyphen, which no CA's file stem contains."""
    return f"{file_stem}.crl" if shard is None else f"{file_stem}-{shard}.crl"
