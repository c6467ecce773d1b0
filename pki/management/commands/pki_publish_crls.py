"""`pki_publish_crls`: publishes CRLs."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pki.crl import building
from pki.management import arguments
from pki.models import CertificateAuthority
from pki.takeover import foreign_crls
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.path_arguments import readable_file
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Publishes the CRL of each shard now, for every online CA or for the given CAs; an offline CA needs its token here.

    Waits for a worker that makes the same CRL, up to `pki.crl.scopes.WAIT`. For an external CA it publishes a CRL of the other
    system from a file, and first revokes here the certificates that the CRL lists.
    """

    help = "Publicerar spärrlistor (CRL)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --ca, --file and --hold."""
        parser.add_argument("--ca", action="append", metavar="NAMN", help="bara denna utfärdare; kan upprepas")
        parser.add_argument("--file", type=readable_file, metavar="FIL", help="en extern utfärdares lista, gjord på annat håll")
        parser.add_argument(
            "--hold",
            choices=("refuse", "revoke"),
            default="refuse",
            help="tillfälligt spärrade på listan: vägra, eller spärra här",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Publishes the CRLs."""
        named = [arguments.authority(name) for name in options["ca"] or []]
        if options["file"] is not None:
            if len(named) != 1:
                raise CommandError("--file gäller en utfärdare; ange den med --ca", returncode=2)
            outcomes = [self._from_file(named[0], options["file"], revoke_held=options["hold"] == "revoke")]
        else:
            outcomes = building.publish_each(named) if named else building.publish_online()
        if not outcomes:
            raise CommandError("ingen utfärdare kan publicera; kör pki_ceremony", returncode=1)
        for outcome in outcomes:
            if outcome.crl is not None:
                last = "" if outcome.crl.next_update else ", den sista"
                self.stdout.write(f"{_named(outcome)}: nummer {outcome.crl.number}, {outcome.crl.entries} poster{last}")
        failed = [f"{_named(outcome)} ({outcome.error})" for outcome in outcomes if outcome.error]
        if failed:
            raise CommandError(f"inte publicerat: {', '.join(failed)}", returncode=1)

    def _from_file(self, ca: CertificateAuthority, path: Path, *, revoke_held: bool) -> building.CrlResult:
        actor_ref = arguments.operator_ref()
        try:
            return building.CrlResult(
                ca, foreign_crls.publish(ca, path.read_bytes(), revoke_held=revoke_held, actor_ref=actor_ref)
            )
        except DomainError as error:
            raise CommandError(error.message, returncode=1) from None
        except OSError as error:
            raise CommandError(f"{path}: {type(error).__name__}", returncode=1) from None


def _named(outcome: building.CrlResult) -> str:
    return outcome.ca.slug if outcome.shard is None else f"{outcome.ca.slug} del {outcome.shard}"
