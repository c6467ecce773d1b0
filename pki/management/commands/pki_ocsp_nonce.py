"""`pki_ocsp_nonce CA GENERATION ignore|echo`: sets how a CA's OCSP responses treat nonces."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pki.management import arguments
from pki.models import NoncePolicy
from pki.ocsp import nonces
from siths_portal.lib.errors import DomainError
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Sets the nonce policy; responders apply it within seconds."""

    help = "Anger om en utfärdares OCSP-svar bär begärans nonce (echo) eller utelämnar den (ignore)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares CA, generation and policy."""
        parser.add_argument("ca", metavar="NAMN", help="utfärdaren, till exempel person-hsaid-3")
        parser.add_argument("generation", type=int)
        parser.add_argument("policy", choices=NoncePolicy.values, metavar="|".join(NoncePolicy.values))

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 1 for a refused request."""
        try:
            ca = nonces.set_policy(
                slug=options["ca"],
                generation=options["generation"],
                policy=options["policy"],
                actor_ref=arguments.operator_ref(),
            )
        except DomainError as error:
            raise CommandError(error.message, returncode=1) from None
        self.stdout.write(f"{ca.slug} {ca.generation}: {ca.nonce_policy}")
