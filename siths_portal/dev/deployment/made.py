"""All files of `deploy/` that are made from the table of processes."""

from siths_portal.dev.deployment import manifests, units

FOLDERS = ("systemd", "kubernetes/base", "kubernetes/migrate")
"""The folders below `deploy/` that hold nothing else."""


def files() -> dict[str, str]:
    """Returns the text of each file, by its path below `deploy/`."""
    made = {f"systemd/{name}": text for name, text in units.files().items()}
    return made | {f"kubernetes/{name}": text for name, text in manifests.files().items()}
