#!/usr/bin/env python
"""Command line of the portal. `migrate` runs with the database owner's URL, everything else as the application."""

import os
import sys

OWNER_COMMANDS = frozenset({"migrate"})


def main() -> None:
    """Runs one management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
    if len(sys.argv) > 1 and sys.argv[1] in OWNER_COMMANDS:
        os.environ["SITHS_DATABASE_AS_OWNER"] = "1"
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
