"""The export of an incident has what the incident touches and nothing else, for the operator alone, and leaves an event."""

import csv
import hashlib
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pyrage import x25519

from issuance.models import Event
from pki.models import Certificate
from siths_portal.ops import encryption
from tests.database_roles import acting_as
from tests.faults.full_disk import full_disk
from tests.faults.tally import Tally
from tests.issuance.activated import Made, activated_card, sent_card

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demo_pki")]


def export(*arguments: str) -> list[str]:
    out = io.StringIO()
    with acting_as("worker"):
        call_command("ops_incident_export", *arguments, stdout=out)
    return out.getvalue().splitlines()


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=";"))


@pytest.fixture
def cards(world: Any) -> tuple[Made, Made]:
    """A card of the incident and one of somebody else."""
    return activated_card(world), sent_card(world)


def test_each_way_to_name_a_card_finds_it_alone(cards: tuple[Made, Made], tmp_path: Path) -> None:
    made, other = (each.fresh() for each in cards)
    person = made.holder.identifiers.get()
    *_, folder = export("--card", made.card_serial, "--to", str(tmp_path))
    files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    assert {stat.S_IMODE(path.stat().st_mode) for path in Path(folder).iterdir()} == {0o600}
    assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
    certificates = rows(files["certificates.csv"])
    assert {row["serial"] for row in certificates} == set(
        Certificate.objects.filter(carrier_ref=f"carrier:{made.pk}").values_list("serial", flat=True)
    )
    assert {(row["identifier"], row["card_serial"]) for row in rows(files["persons.csv"])} == {(person.value, made.card_serial)}
    told = rows(files["timeline.csv"])
    assert [row["at"] for row in told] == sorted(row["at"] for row in told)
    assert {"carrier.activated", "certificate.issued", "order.accepted"} <= {row["action"] for row in told}
    assert str(other.pk) not in "".join(content.decode() for content in files.values())
    summary = json.loads(files["summary.json"])
    assert summary["sha256"] == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != "summary.json"
    }
    event = Event.objects.get(action="incident.exported")
    assert event.actor_ref.startswith("operator:")
    assert event.facts["counts"] == {"certificates": len(certificates), "persons": 1, "timeline": len(told)}
    assert event.facts["sha256"] == hashlib.sha256(files["summary.json"]).hexdigest()
    one = f"{len(certificates)} certifikat, 1 personer, {len(told)} händelser"
    dry = ("--to", str(tmp_path), "--dry-run")
    assert export("--person", str(made.person_id), *dry) == [f"skulle skriva {one}"]
    first = certificates[0]
    assert export("--ca", f"{first['ca']}:{first['generation']}", "--certificate", first["serial"], *dry)[0].startswith(
        "skulle skriva 1 certifikat, 1 personer"
    )
    assert "2 personer" in export("--supplier", "bureau", *dry)[0]
    assert "2 personer" in export("--from", "2020-01-01", *dry)[0]
    assert len(list(tmp_path.iterdir())) == Event.objects.filter(action="incident.exported").count() == 1


def test_an_encrypted_export_needs_a_key_of_each_group(cards: tuple[Made, Made], tmp_path: Path, settings: Any) -> None:
    settings.BACKUP_RECIPIENT_FILES, keys = [], []
    for name in ("first", "second"):
        key = x25519.Identity.generate()
        keys.append(tmp_path / f"{name}.key")
        keys[-1].write_text(f"{key}\n")
        (tmp_path / name).write_text(f"{key.to_public()}\n")
        settings.BACKUP_RECIPIENT_FILES.append(str(tmp_path / name))
    *_, folder = export("--card", cards[0].fresh().card_serial, "--encrypt", "--to", str(tmp_path))
    assert {path.name for path in Path(folder).iterdir()} == {
        "certificates.csv.age", "persons.csv.age", "timeline.csv.age", "summary.json",
    }  # fmt: skip
    identities = encryption.identities(keys)
    with (Path(folder) / "persons.csv.age").open("rb") as file, encryption.decrypted(file, identities) as plain:
        assert [row["card_serial"] for row in rows(plain.read())] == [cards[0].fresh().card_serial]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "ange vad incidenten gäller"),
        (("--from", "2026-02-01", "--until", "2026-01-01"), 2, "--until är före --from"),
        (("--card", "9" * 19), 1, "inget certifikat och inget kort stämmer"),
        (("--supplier", "bureau", "--encrypt"), 2, "BACKUP_RECIPIENT_FILES"),
    ],
)
def test_what_is_refused_writes_nothing(
    tmp_path: Path, settings: Any, arguments: tuple[str, ...], status: int, message: str
) -> None:
    settings.BACKUP_RECIPIENT_FILES = []
    with pytest.raises(CommandError, match=message) as refused:
        export(*arguments, "--to", str(tmp_path))
    assert refused.value.returncode == status
    assert list(tmp_path.iterdir()) == []
    assert not Event.objects.filter(action="incident.exported").exists()


def test_a_full_disk_exports_nothing(cards: tuple[Made, Made], tmp_path: Path, tally: Tally) -> None:
    """F08: no folder and no event; the export is made once there is room."""
    arguments = ("--card", cards[0].fresh().card_serial, "--to", str(tmp_path))
    with full_disk(1024), pytest.raises(CommandError) as failed:
        export(*arguments)
    assert failed.value.returncode == 1
    assert (list(tmp_path.iterdir()), Event.objects.filter(action="incident.exported").exists()) == ([], False)
    *_, folder = export(*arguments)
    written = ["certificates.csv", "persons.csv", "timeline.csv", "summary.json"]
    tally.run(written, [path.name for path in Path(folder).iterdir()], "files of the export")
