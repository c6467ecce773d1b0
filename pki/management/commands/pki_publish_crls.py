"""Publishes CRLs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pki import crl
from pki.management import arguments


class Command(BaseCommand):
    """Publishes now, for every CA that is online or for those named, the list of each shard; an offline CA needs its token here.

    Waits for a worker that makes the same list, up to `crl_scopes.WAIT`.
    """

    help = "Publicerar spärrlistor (CRL)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --ca."""
        parser.add_argument("--ca", action="append", metavar="NAMN", help="bara denna utfärdare; kan upprepas")

    def handle(self, *args: Any, **options: Any) -> None:
        """Publishes."""
        named = [arguments.authority(name) for name in options["ca"] or []]
        outcomes = crl.publish_each(named) if named else crl.publish_online()
        if not outcomes:
            raise CommandError("ingen utfärdare kan publicera; kör pki_ceremony", returncode=1)
        for outcome in outcomes:
            if outcome.crl is not None:
                last = "" if outcome.crl.next_update else ", den sista"
                self.stdout.write(f"{_named(outcome)}: nummer {outcome.crl.number}, {outcome.crl.entries} poster{last}")
        failed = [f"{_named(outcome)} ({outcome.error})" for outcome in outcomes if outcome.error]
        if failed:
            raise CommandError(f"inte publicerat: {', '.join(failed)}", returncode=1)


def _named(outcome: crl.Outcome) -> str:
    return outcome.ca.slug if outcome.shard is None else f"{outcome.ca.slug} del {outcome.shard}"
