#!/usr/bin/env python
"""Command line of the portal. Each command connects to the database as a role: `migrate` as the owner of the tables.

Simulators are not part of the portal: they always run with their own settings.
"""

import os
import sys

# Commands that connect as the process with the token. All `pki_` commands do too.
PKI_COMMANDS = frozenset({"audit_head", "audit_verify", "ops_restore_drill"})
WITHOUT_TOKEN = frozenset({"pki_ocsp_publish", "pki_ocspd"})
SIMULATORS = frozenset(f"{name}_simulator" for name in ("access_point", "directory", "eid_app", "idp", "mail", "supplier"))


def main() -> None:
    """Runs one management command."""
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command in SIMULATORS:
        os.environ["DJANGO_SETTINGS_MODULE"] = "siths_portal.simulators.settings"
        from siths_portal.simulators import start

        start.run(sys.argv)
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
    os.environ.pop("SITHS_DATABASE_AS_OWNER", None)
    if command == "migrate" or command.startswith("demo_"):  # makes tables; fills all of them, in development
        os.environ["SITHS_DATABASE_AS_OWNER"] = "1"
    if command != "check":  # checks the settings of the process in SITHS_FACE
        os.environ["SITHS_DATABASE_ROLE"] = _role(command)
    from django.core.management import execute_from_command_line

    from siths_portal.lib.processes.call_stack import with_room

    with_room(lambda: execute_from_command_line(sys.argv))


def _role(command: str) -> str:
    """Returns the process that the command connects to the database as."""
    of_the_pki = command in PKI_COMMANDS or (command.startswith("pki_") and command not in WITHOUT_TOKEN)
    return "pki" if of_the_pki else "worker"


if __name__ == "__main__":
    main()
