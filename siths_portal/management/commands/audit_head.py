"""`audit_head`: signs the newest seals of the audit chains now."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pki.management.arguments import operator_ref
from siths_portal.lib.errors import DomainError
from siths_portal.lib.processes.commands import CheckedCommand
from siths_portal.wiring import chains, heads


class Command(CheckedCommand):
    """For operators: signs a head now, or begins a new file of heads after the old one was deliberately moved away."""

    help = "Signerar händelsekedjornas huvuden nu; --new-file börjar en ny fil när den gamla är undanlagd som bevis."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --new-file and --reason."""
        parser.add_argument("--new-file", action="store_true", help="den gamla filen är undanlagd: börja en ny")
        parser.add_argument("--reason", default="", help="varför, i händelsen; krävs med --new-file")

    def handle(self, *args: Any, **options: Any) -> None:
        """Signs a head."""
        if options["new_file"]:
            if not options["reason"]:
                raise CommandError("ange varför med --reason", returncode=2)
            try:
                number = heads.begin_anew(actor_ref=operator_ref(), reason=options["reason"])
            except DomainError as error:
                raise CommandError(error.message, returncode=1) from None
            self.stdout.write(f"nästa huvud, nr {number}, börjar en ny fil")
        chains.seal_all()
        if not heads.seal():
            raise CommandError("huvudet blev inte signerat: se loggen", returncode=1)
        report = heads.examine()
        self.stdout.write(f"huvud nr {report.last.number if report.last else 0} är signerat")
