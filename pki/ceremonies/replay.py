"""Repeats a ceremony without lasting effects: on temporary tokens, in temporary tables (rules/pki 7.2, ADR 0125).

Repeats the earlier ceremonies first, since it may depend on them. Compares the result with the ceremony record by structure:
keys, serials, times and hashes are expected to differ.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from pki.ceremonies import execution, scratch
from pki.domain.ceremony_file import CeremonyFile, parse
from pki.domain.transcripts import differences, structure
from pki.models import CeremonyState, KeyCeremony
from siths_portal.lib.canonical import canonical_json
from siths_portal.lib.errors import Conflict

TOKENS = {"PKCS11_TOKEN": "replay-issuing", "PKCS11_ROOT_TOKEN": "replay-root"}
_MODULE_CONF = "directories.tokendir = {folder}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
_ANSWER = "answer.json"


@dataclass(frozen=True)
class Replayed:
    """The result of a replay, by structure. `recorded` is False for a file that was never executed; then nothing is compared.

    `differences` are lines in Swedish; empty if the record and the replay agree.
    """

    recorded: bool
    structure: Mapping[str, Any]
    differences: list[str]


def replay(file: CeremonyFile) -> Replayed:
    """Executes the ceremony again, or for the first time, without lasting effects. Raises Conflict if it cannot be executed.

    Reads the real database, and does not touch the real tokens and published files.
    """
    record = KeyCeremony.objects.filter(file_sha256=file.sha256, state=CeremonyState.FINISHED).first()
    earlier = KeyCeremony.objects.filter(state=CeremonyState.FINISHED)
    if record is not None:
        earlier = earlier.filter(finished_at__lt=record.finished_at)
    texts = list(earlier.order_by("finished_at").values_list("file_text", flat=True))
    with tempfile.TemporaryDirectory(prefix="siths-replay-") as place:
        made = structure(_elsewhere(Path(place), [*texts, file.text]))
    found = differences(structure(json.loads(record.transcript)), made) if record else []
    return Replayed(record is not None, made, found)


def _elsewhere(place: Path, texts: list[str]) -> Mapping[str, Any]:
    """Executes these files in order in a separate process and returns the last one's record."""
    environment = _environment(place)
    for number, text in enumerate(texts, 1):
        (place / f"{number:04}.yaml").write_bytes(text.encode())
    for label in TOKENS.values():
        pins = ["--pin", (place / "pin").read_text(), "--so-pin", secrets.token_hex(8)]
        _run(["softhsm2-util", "--init-token", "--free", "--label", label, *pins], environment)
    last = str(place / f"{len(texts):04}.yaml")
    _run([sys.executable, str(settings.BASE_DIR / "manage.py"), "pki_ceremony", last, "--inside", str(place)], environment)
    answer: Mapping[str, Any] = json.loads((place / _ANSWER).read_bytes())
    return answer


def _environment(place: Path) -> dict[str, str]:
    """Returns this process's environment, except for the settings of places that a ceremony writes to."""
    (place / "tokens").mkdir(mode=0o700)
    (place / "softhsm2.conf").write_text(_MODULE_CONF.format(folder=place / "tokens"))
    (place / "pin").write_text(secrets.token_hex(8))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SITHS_FAULT_", "PGOPTIONS"))}
    return kept | {
        **TOKENS,
        "SOFTHSM2_CONF": str(place / "softhsm2.conf"),
        "PKCS11_MODULE": settings.PKI_REPLAY_MODULE,
        "PKCS11_MODULE_ARGUMENTS": "",
        "PKCS11_PIN_FILE": str(place / "pin"),
        "PKI_START_BY_TWO": "0",  # the token and its PIN live as long as the replay
        "PKI_STATUS_DIR": str(place / "status"),
        "PKI_CEREMONY_DIR": str(place / "ceremony"),
        "PGOPTIONS": scratch.READ_ONLY,
        # No worker is woken for rows that only this session sees.
        "CELERY_BROKER_URL": "memory://",
    }


def _run(command: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        command,
        env=dict(environment),
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["inget svar"])[-1]
        raise Conflict("ceremony-replay", f"Uppspelningen gick inte att göra: {reason}")


def inside(place: Path) -> None:
    """Executes the files that `replay` wrote to the folder, and writes the last one's record there. Only for that process.

    Raises NotScratch in any other.
    """
    if not all(Path(path).is_relative_to(place) for path in (settings.PKI_STATUS_DIR, settings.PKI_CEREMONY_DIR)):
        raise scratch.NotScratch
    if {name: getattr(settings, name) for name in TOKENS} != TOKENS or not _own_tokens(place):
        raise scratch.NotScratch
    scratch.begin()
    with connection.execute_wrapper(scratch.own_functions):
        made = [execution.rehearse(parse(path.read_bytes())) for path in _files(place)]
    (place / _ANSWER).write_bytes(canonical_json(made[-1]))


def _own_tokens(place: Path) -> bool:
    return Path(os.environ.get("SOFTHSM2_CONF", "/")).is_relative_to(place)


def _files(place: Path) -> Iterator[Path]:
    return iter(sorted(place.glob("*.yaml")))
