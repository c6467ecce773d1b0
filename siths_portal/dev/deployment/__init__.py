"""systemd units, made from the table of processes (siths_portal/lib/processes/table.py)."""

from siths_portal.dev.deployment import units


def files() -> dict[str, str]:
    """Returns the text of each file below `deploy/`, by its path there."""
    return {f"systemd/{name}": text for name, text in units.files().items()}
