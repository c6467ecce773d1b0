"""Settings of the simulators (ADR 0203): no model, no database, nothing of the portal. `manage.py` selects them by command."""

import os
from pathlib import Path

from siths_portal.simulators import logs

VAR_DIR = Path(os.environ.get("SITHS_VAR_DIR") or Path(__file__).resolve().parent.parent.parent / "var")
TAKEN = frozenset({"PORT_BASE", "PORTAL_BASE_URL", "PORTAL_CA_FILE", "SUPPLIER_API_URL"})
"""All that a simulator takes from `portal.env`, which holds the secrets' places and the database's address beside."""


def read_addresses(path: Path) -> None:
    """Sets variables that the environment lacks from the file `path`, if it exists."""
    for line in path.read_text().splitlines() if path.exists() else []:
        name, _, value = line.partition("=")
        if name.strip() in TAKEN:
            os.environ.setdefault(name.strip(), value.strip().strip("\"'"))


read_addresses(VAR_DIR / "portal.env")

INSTALLED_APPS = ["siths_portal.simulators"]
LANGUAGE_CODE = "sv"
TIME_ZONE = "Europe/Stockholm"

LOGGING_CONFIG = None
logs.configure()
