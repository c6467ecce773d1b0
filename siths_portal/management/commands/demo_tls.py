"""`demo_tls`: gets TLS certificates for the running demo and registers its machine clients."""

from typing import Any

from django.core.management.base import CommandError

from siths_portal.demo import tls
from siths_portal.lib.errors import DomainError
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Can be repeated: replaces only missing certificates and those that expire soon."""

    help = "Issues certificates of the Function CA to the API's TLS proxy and the card supplier, and registers the supplier."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints one line. Exit 1 if the certificates were not issued."""
        try:
            issued = tls.provide()
        except DomainError as error:
            raise CommandError(f"{error.code}: {error.message}", returncode=1) from None
        except tls.TlsFault as error:
            raise CommandError(str(error), returncode=1) from None
        self.stdout.write(f"{issued} certifikat utfärdade")
