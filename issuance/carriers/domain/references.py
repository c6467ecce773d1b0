"""How `pki`, which knows no carriers, names one: an opaque reference."""

from uuid import UUID


def carrier_ref(carrier_id: UUID) -> str:
    """Returns the reference of a carrier."""
    return f"carrier:{carrier_id}"


def carrier_id_of(ref: str) -> UUID | None:
    """Returns the id of the carrier that `ref` names. Returns None if it names something else."""
    kind, _, text = ref.partition(":")
    try:
        return UUID(text) if kind == "carrier" else None
    except ValueError:
        return None
