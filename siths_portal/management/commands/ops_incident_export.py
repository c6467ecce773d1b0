"""`ops_incident_export`: the certificates, persons and events that an incident touches, as files for those who investigate it."""

import datetime as dt
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from pki.domain import serials
from pki.management.arguments import operator_ref
from siths_portal.lib import clock
from siths_portal.lib.files.path_arguments import writable_folder
from siths_portal.lib.processes.commands import CheckedCommand
from siths_portal.ops import encryption, incident_files
from siths_portal.ops.incidents import Selection


def _serial(text: str) -> str:
    try:
        return serials.text(serials.number(text))
    except ValueError:
        raise ArgumentTypeError("ett serienummer är hexadecimalt, högst 20 byte") from None


def _card(text: str) -> str:
    if not (text.isascii() and text.isdecimal() and len(text) == 19):
        raise ArgumentTypeError("ett kortnummer har 19 siffror")
    return text


def _person(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError("ange personens id, som står i adressen till personens sida; aldrig personnummer") from None


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("ange en dag som 2026-01-31") from None


class Command(CheckedCommand):
    """Records the event `incident.exported`. Exits 1 if nothing fits the selection, 2 without a selection."""

    help = "Skriver vad en incident berör (certifikat, personer, händelser) till en ny mapp som bara den som kör kommandot läser."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the selection, --to, --encrypt and --dry-run."""
        parser.add_argument("--ca", metavar="NAMN[:GENERATION]")
        parser.add_argument("--certificate", type=_serial, metavar="HEX", help="certifikatets serienummer")
        parser.add_argument("--card", type=_card, metavar="NUMMER", help="numret på kortet")
        parser.add_argument("--person", type=_person, metavar="ID", help="personens id; aldrig personnummer")
        parser.add_argument("--supplier", metavar="REF", help="kortleverantörens referens")
        parser.add_argument("--from", dest="since", type=_day, metavar="DAG", help="utfärdat från och med")
        parser.add_argument("--until", type=_day, metavar="DAG", help="utfärdat till och med")
        parser.add_argument("--to", type=writable_folder, metavar="MAPP", required=True, help="mappen som den nya mappen läggs i")
        parser.add_argument("--encrypt", action="store_true", help="kryptera till båda grupperna i BACKUP_RECIPIENT_FILES")
        parser.add_argument("--dry-run", action="store_true", help="räkna bara")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Prints the counts and the folder."""
        selection = _selection(options)
        try:
            files = [Path(file) for file in settings.BACKUP_RECIPIENT_FILES]
            groups = encryption.recipients(files) if options["encrypt"] else []
            made = incident_files.export(
                selection, options["to"], actor_ref=operator_ref(), groups=groups, dry_run=options["dry_run"]
            )
        except encryption.WrongKeys as error:
            raise CommandError(str(error), returncode=2) from None
        except incident_files.NothingFound:
            raise CommandError("inget certifikat och inget kort stämmer med urvalet", returncode=1) from None
        except encryption.FAILURES as error:
            raise CommandError(f"exporten blev inte gjord: {type(error).__name__}", returncode=1) from None
        head = "skulle skriva " if options["dry_run"] else ""
        numbers = made.counts
        self.stdout.write(
            f"{head}{numbers['certificates']} certifikat, {numbers['persons']} personer, {numbers['timeline']} händelser"
        )
        if made.folder is not None:
            self.stdout.write(str(made.folder))


def _selection(options: dict[str, Any]) -> Selection:
    """Returns the selection. Raises CommandError with status 2 if it is empty or contradicts itself."""
    slug, _, generation = (options["ca"] or "").partition(":")
    if generation and not generation.isdecimal():
        raise CommandError("ange en utfärdare som person-hsaid-3 eller person-hsaid-3:1", returncode=2)
    since, until = options["since"], options["until"]
    if since and until and until < since:
        raise CommandError("--until är före --from", returncode=2)
    selection = Selection(
        ca=slug or None,
        generation=int(generation) if generation else None,
        serial=options["certificate"],
        card=options["card"],
        person=options["person"],
        supplier=options["supplier"],
        since=clock.start_of_day(since) if since else None,
        until=clock.start_of_day(until + dt.timedelta(days=1)) if until else None,
    )
    if not selection.given():
        raise CommandError("ange vad incidenten gäller: --ca, --certificate, --card, --person, --supplier, --from", returncode=2)
    return selection
