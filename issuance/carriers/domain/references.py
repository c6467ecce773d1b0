"""Opaque references to carriers for `pki`, which does not know carriers."""

from uuid import UUID


def carrier_ref(carrier_id: UUID) -> str:
    """Returns the reference of a carrier."""
    return f"carrier:{carrier_id}"


def carrier_id_of(ref: str) -> UUID | None:
    """Returns the id of the carrier in `ref`, or None if it refers to something else."""
    kind, _, text = ref.partition(":")
    try:
        return UUID(text) if kind == "carrier" else None
    except ValueError:
        return None
