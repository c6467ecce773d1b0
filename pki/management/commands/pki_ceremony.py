"""`pki_ceremony FILE.yaml [--approval A.p7s ...] [--plan | --replay]`: the key ceremony that the file describes."""

import argparse
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from pki.ceremonies import execution, replay, signatures
from pki.ceremonies import plan as ceremony_plan
from pki.domain.ceremony_file import CeremonyFile, CeremonyFileError, parse
from pki.hsm import HsmError
from pki.issuing.signing import NotIssuable
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.path_arguments import readable_file
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Makes the keys and CA certificates of an approved file, publishes CRLs and certificates, and writes the ceremony record."""

    help = "Nyckelceremoni: gör nycklar och utfärdarcertifikat som den godkända filen säger. Att upprepa ändrar inget."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares `file`, `--approval`, and the modes."""
        parser.add_argument("file", type=readable_file, metavar="FIL", help="ceremonifilen (YAML)")
        parser.add_argument(
            "--approval",
            type=readable_file,
            action="append",
            metavar="FIL",
            help="ett godkännande: en godkännares underskrift av filen (CMS); kan upprepas. Utan: de som ligger i ceremonimappen",
        )
        instead = parser.add_mutually_exclusive_group()
        instead.add_argument("--dry-run", action="store_true", help="säg vad som skulle göras, och gör inget")
        instead.add_argument("--plan", action="store_true", help="som --dry-run, och säg hur filen godkänns")
        instead.add_argument("--replay", action="store_true", help="gör om på tillfälliga tokens och jämför med protokollet")
        instead.add_argument("--inside", type=Path, help=argparse.SUPPRESS)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 0 if every step of the file is done, 1 if a step fails, 2 for a file that cannot be executed."""
        file = options["file"]
        try:
            content = _read(file)
            plan = parse(content)
        except CeremonyFileError as error:
            raise CommandError(f"ceremonifilen går inte att följa: {error}", returncode=2) from None
        try:
            if options["inside"]:
                replay.inside(options["inside"])
            elif options["replay"]:
                self._replay(plan)
            elif options["dry_run"] or options["plan"]:
                self._tell(plan, file if options["plan"] else None)
            else:
                self._perform(plan, options["approval"])
        except DomainError as error:
            raise CommandError(error.message) from None
        except HsmError as error:
            raise CommandError(f"HSM: {type(error).__name__}: {error}") from None
        except NotIssuable as error:
            raise CommandError(f"certifikatet kan inte utfärdas: {error}") from None

    def _perform(self, plan: CeremonyFile, files: list[Path] | None) -> None:
        started = time.monotonic()
        approvals = None if files is None else {str(each): _read(each) for each in files}
        outcome = execution.perform(plan, approvals=approvals, say=self._say)
        if not outcome.changed:
            self.stdout.write(f"{outcome.authorities} utfärdare finns redan som filen säger; inget är ändrat")
            return
        self.stdout.write(f"{outcome.authorities} utfärdare klara på {time.monotonic() - started:.1f} s: {outcome.transcript}")

    def _replay(self, plan: CeremonyFile) -> None:
        outcome = replay.replay(plan)
        for line in outcome.differences:
            self.stdout.write(line)
        if outcome.differences:
            raise CommandError(f"uppspelningen skiljer sig från protokollet på {len(outcome.differences)} ställen")
        if outcome.recorded:
            self.stdout.write("uppspelningen stämmer med protokollet; inget av den finns kvar")
            return
        self.stdout.write("filen är inte genomförd, så det finns inget protokoll att jämföra med; så här skulle det bli:")
        self.stdout.write(json.dumps(outcome.structure, ensure_ascii=False, indent=2))

    def _tell(self, plan: CeremonyFile, file: Path | None) -> None:
        for line in ceremony_plan.intentions(plan) or ["inget att göra"]:
            self.stdout.write(line)
        if file is None:
            return
        self.stdout.write(f"filens SHA-256: {plan.sha256}")
        self.stdout.write(f"begärs av {plan.requester}; minst {plan.required} av dessa ska godkänna:")
        for known in signatures.approvers(plan):
            until = known.certificate.not_valid_after_utc.date().isoformat()
            self.stdout.write(f"  {known.approver.name}, certifikat {known.certificate_sha256}, gäller till {until}")
        quoted = shlex.quote(str(file))
        self.stdout.write("var och en godkänner med sin nyckel så här:")
        signer = "-signer CERTIFIKAT.pem -inkey NYCKEL.pem"
        self.stdout.write(f"  openssl cms -sign -binary -md sha256 -in {quoted} {signer} -outform DER -out NAMN.p7s")
        self.stdout.write(f"sedan: pki_ceremony {quoted} --approval NAMN.p7s --approval …")
        self.stdout.write(f"eller utan --approval, med underskrifterna i {signatures.folder(plan)}")

    def _say(self, line: str) -> None:
        if sys.stdout.isatty():
            self.stdout.write(f"  {line}")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"filen {file} går inte att läsa: {error.strerror}", returncode=2) from None
