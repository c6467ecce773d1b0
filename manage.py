#!/usr/bin/env python
"""Command line of the portal. `migrate` runs with the database owner's URL, everything else as the application.

Simulators are no part of the portal: they run with settings of their own, whatever settings their starter has.
"""

import os
import sys

OWNER_COMMANDS = frozenset({"migrate"})
SIMULATORS = frozenset({"directory_simulator", "eid_app_simulator", "idp_simulator", "supplier_simulator"})


def main() -> None:
    """Runs one management command."""
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in SIMULATORS:
        os.environ["DJANGO_SETTINGS_MODULE"] = "siths_portal.simulators.settings"
        from siths_portal.simulators import start

        start.run(sys.argv)
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
    if command in OWNER_COMMANDS:
        os.environ["SITHS_DATABASE_AS_OWNER"] = "1"
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
