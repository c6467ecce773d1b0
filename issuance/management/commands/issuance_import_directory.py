"""`issuance_import_directory FILE`: imports the assignments of the HSA directory from LDIF or CSV (docs/catalogue-file.md)."""

import datetime as dt
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from issuance.people.services import directory_import
from issuance.people.services.directory_import import DirectoryImportOptions, DirectoryImportResult
from issuance.people.services.directory_import_rows import PROBLEMS
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.path_arguments import readable_file
from siths_portal.lib.processes.commands import CheckedCommand

_SHOWN = 1000


class Command(CheckedCommand):
    """Safe to repeat and to stop: a run applies the complete file or nothing."""

    help = "Läser katalogens uppdrag ur en fil (LDIF eller CSV) till portalen."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the file and the options for reading it."""
        parser.add_argument("file", type=readable_file, metavar="FIL", help="export ur katalogen, LDIF eller CSV")
        parser.add_argument("--dry-run", action="store_true", help="kontrollera allt och räkna, ändra inget")
        parser.add_argument("--full", action="store_true", help="filen är hela katalogen: uppdrag som inte finns i den avslutas")
        parser.add_argument("--accept-losses", action="store_true", help="avsluta uppdrag hur många de än är")
        parser.add_argument(
            "--nobody-protected", action="store_true", help="filen nämner inga skyddade personuppgifter, och det stämmer"
        )
        parser.add_argument("--encoding", default="utf-8", choices=("utf-8", "cp1252"), help="teckenkodning för CSV")
        parser.add_argument("--as-of", type=_moment, metavar="TID", help="när filen gjordes, om inte filens egen tid säger det")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 1 if rows or the file were refused or a mass removal was not applied, with 2 for a file that cannot be
        opened.
        """
        import_options = DirectoryImportOptions(
            full=options["full"],
            accept_losses=options["accept_losses"],
            nobody_protected=options["nobody_protected"],
            dry_run=options["dry_run"],
            encoding=options["encoding"],
            as_of=options["as_of"],
        )
        path: Path = options["file"]
        size = max(1, path.stat().st_size)
        try:
            outcome = directory_import.run(
                path, import_options, report_progress=lambda octets, rows: self._progress(octets / size, rows), shown=_SHOWN
            )
        except DomainError as error:
            raise CommandError(error.message) from None
        except (OperationalError, InterfaceError):
            raise CommandError(
                "databasen kunde inte ta emot filen; inget är ändrat till hälften. Se databasens logg och kör igen"
            ) from None
        except OSError as error:
            raise CommandError(f"filen går inte att läsa: {error.strerror}", returncode=2) from None
        self._report(outcome, import_options)

    def _report(self, outcome: DirectoryImportResult, import_options: DirectoryImportOptions) -> None:
        counts = outcome.counts
        if self.stderr.isatty():
            self.stderr.write("")
        for each in outcome.problems:
            self.stdout.write(f"rad {each.line}: {f'{each.field} ' if each.field else ''}{PROBLEMS[each.code]}")
        if counts.refused > len(outcome.problems):
            self.stdout.write(f"… och {counts.refused - len(outcome.problems)} rader till")
        posts = counts.posts
        self.stdout.write(
            f"{'skulle ändra' if import_options.dry_run else 'ändrade'}: "
            f"{counts.new_people} nya personer, {counts.changed_people} ändrade "
            f"(varav {counts.shielded} fick skydd); uppdrag: {posts.get('add', 0)} nya, {posts.get('change', 0)} ändrade, "
            f"{posts.get('move', 0)} flyttade, {counts.ended} avslutade"
        )
        self.stdout.write(
            f"{counts.rows} rader, {counts.refused} togs inte; uppdrag som redan stämde: {posts.get('same', 0)}, vars slutdatum "
            f"har passerat: {posts.get('over', 0)}, med nyare uppgifter i portalen: {posts.get('newer', 0)}"
        )
        if counts.elsewhere:
            self.stdout.write(f"{counts.elsewhere} rader hör till {counts.strangers} organisationer som inte finns i portalen")
        self._require_whole(outcome, import_options)

    @staticmethod
    def _require_whole(outcome: DirectoryImportResult, import_options: DirectoryImportOptions) -> None:
        counts, wrong = outcome.counts, []
        if counts.held and counts.lost_protected:
            wrong.append(
                f"{counts.held} uppdrag för personer med skyddade personuppgifter skulle avslutas, men filen har ingen sådan "
                "person; de avslutades inte. Kontrollera att den som hämtade filen får läsa dem; stämmer den, kör med "
                "--accept-losses"
            )
        elif counts.held:
            unread = f", och {counts.unread} rader går inte att läsa" if counts.unread else ""
            wrong.append(
                f"{counts.held} av {counts.live} uppdrag skulle avslutas eller flyttas{unread}; inget avslutades. "
                "Kontrollera filen; stämmer den, kör med --accept-losses"
            )
        if counts.refused:
            wrong.append(f"{counts.refused} av {counts.rows} rader togs inte; se listan ovan")
        if wrong:
            raise CommandError("; ".join(wrong))

    def _progress(self, share: float, rows: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{min(1.0, share):4.0%}, {rows} rader ", ending="")


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("en tid skrivs som 2026-11-28T01:30") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=clock.STOCKHOLM)
