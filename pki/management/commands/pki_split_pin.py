"""`pki_split_pin`: makes the two shares of the token's PIN."""

import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from pki.domain.pin_shares import HALVES, ShareError, combined, read, split
from pki.management import shares
from siths_portal.lib.files import path_arguments

FILES = tuple(f"pin_share_{half.lower()}" for half in HALVES)
"""The names of the files that --folder gets."""
_CLEAR = "\033[H\033[2J\033[3J"


class Command(BaseCommand):
    """Shows each share to its custodian alone, or writes both to a folder for a demonstration. Asks no token."""

    help = "Gör två delar av PIN-koden, en för varje nyckelhållare. Delarna visas en gång och sparas inte."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares where the PIN comes from and where the shares go."""
        parser.add_argument("--folder", type=path_arguments.writable_folder, metavar="MAPP", help="skriv delarna hit: för demon")
        parser.add_argument("--pin-file", type=path_arguments.readable_file, metavar="FIL", help="läs PIN-koden därur: för demon")
        shares.add(parser)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 2 for a PIN that does not fit, two that differ, or a file outside development."""
        folder: Path | None = options["folder"]
        if not settings.DEBUG and (folder or options["pin_file"]):
            raise CommandError("utanför utveckling skrivs delarna inte i filer, och PIN-koden läses inte ur en fil", returncode=2)
        pin = self._pin(options)
        if folder is not None and _kept(folder) == pin:
            return
        try:
            made = split(pin)
        except ShareError as error:
            raise CommandError(f"PIN-koden går inte att dela: {error}", returncode=2) from None
        if folder is None:
            self._show(made)
            return
        for name, text in zip(FILES, made, strict=True):
            _write(folder / name, text)
        self.stdout.write(f"delarna är skrivna i {folder}: bara för demon, där ingen nyckelhållare finns")

    def _pin(self, options: dict[str, Any]) -> str:
        if options["pin_file"] is not None:
            return str(options["pin_file"].read_text().strip())
        one, again = shares.secrets(options["descriptor"], "PIN-kod", "PIN-koden en gång till")
        if one != again:
            raise CommandError("du skrev två olika PIN-koder", returncode=2)
        return one

    def _show(self, made: tuple[str, str]) -> None:
        for half, text in zip(HALVES, made, strict=True):
            input(f"Nyckelhållare {half} ensam vid skärmen: tryck Retur. ")
            self.stdout.write(f"\nDel {half}:\n\n    {text}\n\n")
            input("Skriv av delen och tryck Retur. Skärmen töms. ")
            self.stdout.write(_CLEAR, ending="")


def _kept(folder: Path) -> str:
    """Returns the PIN of the shares in the folder, or "" if there are none that fit."""
    try:
        one, other = (read((folder / name).read_text()) for name in FILES)
        return combined(one, other)
    except (OSError, ShareError):
        return ""


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text + "\n")
