"""`pki_client grant|withdraw|list`: permissions of machine clients for certificates, by CA and profile."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pki.clients import permissions
from pki.management import arguments
from siths_portal.lib.errors import DomainError
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Changes apply from the client's next request. `authn_sync_clients` registers the client itself."""

    help = "Ger, tar bort och visar klienters rättigheter i PKI:ns API."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the three subcommands."""
        acts = parser.add_subparsers(dest="act", required=True, metavar="grant|withdraw|list")
        for name, text in (("grant", "ge rättigheter"), ("withdraw", "ta bort rättigheter")):
            act = acts.add_parser(name, help=text)
            act.add_argument("--client", required=True, metavar="NAMN", help="klientens namn i klientregistret")
            act.add_argument("--ca", required=True, metavar="NAMN", help="utfärdaren, till exempel function")
            act.add_argument("--profile", required=True, metavar="PROFIL", help="certifikatprofilen, till exempel function")
            act.add_argument(
                "--right",
                action="append",
                choices=permissions.RIGHTS,
                required=name == "grant",
                metavar="|".join(permissions.RIGHTS),
                help="kan upprepas" if name == "grant" else "kan upprepas; utan den tas alla bort",
            )
            act.add_argument(
                "--name",
                action="append",
                default=[],
                metavar="NAMN",
                help="namn att beställa certifikat för (DNS-namn, IP-adress, *.domän, eller * för alla); kan upprepas"
                if name == "grant"
                else "ta bort namnet och lämna rättigheterna; kan upprepas",
            )
        acts.add_parser("list", help="visa rättigheter").add_argument("--client", metavar="NAMN", help="bara denna klient")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 0 and one line for each permission, 1 if the change is refused."""
        if options["act"] == "list":
            for each in permissions.client_permissions(options["client"]):
                self._show(each)
            return
        change = permissions.grant_client if options["act"] == "grant" else permissions.withdraw_client
        try:
            self._show(
                change(
                    client_ref=options["client"],
                    ca=options["ca"],
                    profile=options["profile"],
                    rights=options["right"] or permissions.RIGHTS,
                    names=options["name"],
                    actor_ref=arguments.operator_ref(),
                )
            )
        except DomainError as error:
            raise CommandError(error.message, returncode=1) from None

    def _show(self, permission: permissions.PermissionView) -> None:
        rights = ", ".join(permission.rights) or "inga rättigheter"
        names = f" för {', '.join(permission.names)}" if permission.names else ""
        self.stdout.write(f"{permission.client_ref} {permission.ca} {permission.profile}: {rights}{names}")
