"""`pki_export DIR --ca NAME`: exports a CA's certificates, statuses and CRLs in the format of `pki_import`."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pki.management import arguments
from pki.models import CertificateAuthority
from pki.takeover import exporting
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.path_arguments import writable_folder
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Keys do not leave the token."""

    help = "Skriver ut en utfärdares certifikat, statusar och spärrlistor till en tom mapp, så som pki_import läser dem."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the folder and the CA."""
        parser.add_argument("folder", type=writable_folder, metavar="MAPP", help="en tom mapp")
        parser.add_argument("--ca", required=True, metavar="NAMN", help="utfärdaren, till exempel person-hsaid-3")
        parser.add_argument("--generation", type=int, help="utan: den senaste")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 1 for a refused export, 2 for an unknown CA."""
        ca = arguments.authority(options["ca"])
        if options["generation"]:
            found = CertificateAuthority.objects.filter(slug=ca.slug, generation=options["generation"]).first()
            if found is None:
                raise CommandError(f"{ca.slug} har ingen generation {options['generation']}", returncode=2)
            ca = found
        try:
            summary = exporting.export(ca, options["folder"], actor_ref=arguments.operator_ref())
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write(json.dumps(summary))
