"""A file of the catalogue that tests write, and its import; the mirror as it was, to compare with."""

import os
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.people.services import directory_import, people
from issuance.people.services.directory_import import DirectoryImportOptions, DirectoryImportResult
from issuance.records.models.events import Event
from siths_portal.lib import clock
from tests.issuance.world import person_number

COLUMNS = (
    "hsa_id", "organisation_hsa_id", "person_id", "person_id_kind", "given_name", "surname", "title", "mail", "upn", "valid_to",
    "protected",
)  # fmt: skip


class Importing:
    """A file that tests write rows into, and its import."""

    def __init__(self, world: Any, path: Path) -> None:
        self.world, self.path = world, path
        self.rows: list[dict[str, str]] = []

    def row(self, post: Post | None = None, **values: Any) -> dict[str, str]:
        """A row of a post as it is in the mirror, or of somebody new, with these values instead."""
        if post is None:
            number = person_number()
            row = {
                "hsa_id": f"TST2321000131-N{len(self.rows)}", "organisation_hsa_id": self.world.region.hsa_id,
                "person_id": number.value, "given_name": "Nova", "surname": "Nyberg", "title": "Läkare", "protected": "nej",
            }  # fmt: skip
        else:
            number = people.person_id_of(post.person_id)
            row = {
                "hsa_id": post.hsa_id, "organisation_hsa_id": post.organisation.hsa_id, "person_id": number.value,
                "given_name": post.person.given_name_in_use, "surname": post.person.surname, "title": post.title,
                "mail": post.mail, "upn": post.upn, "protected": "nej",
            }  # fmt: skip
        row |= {name: str(value) for name, value in values.items()}
        self.rows.append(row)
        return row

    def everybody(self) -> None:
        """A row of each post that there is."""
        for post in Post.objects.filter(ended_at=None).select_related("person", "organisation").order_by("hsa_id"):
            self.row(post, protected="ja" if post.person.is_protected else "nej")

    def write(self) -> Path:
        lines = [";".join(COLUMNS), *(";".join(row.get(name, "") for name in COLUMNS) for row in self.rows)]
        self.path.write_text("\n".join(lines) + "\n")
        # Made at the moment when it is read, whatever the file system's own clock says.
        os.utime(self.path, (clock.now().timestamp() + 60,) * 2)
        return self.path

    def run(self, **options: Any) -> DirectoryImportResult:
        return directory_import.run(self.write(), DirectoryImportOptions(**options))

    def command(self, *arguments: str) -> str:
        out = StringIO()
        call_command("issuance_import_directory", str(self.write()), *arguments, stdout=out, stderr=StringIO())
        return out.getvalue()

    def refused(self, *arguments: str) -> tuple[str, str]:
        """The report and the one line of the refusal, whose exit status is 1."""
        out = StringIO()
        with pytest.raises(CommandError) as refused:
            call_command("issuance_import_directory", str(self.write()), *arguments, stdout=out, stderr=StringIO())
        assert refused.value.returncode == 1
        assert "\n" not in str(refused.value)
        return out.getvalue(), str(refused.value)


def everything() -> dict[str, list[Any]]:
    """All rows that an import may touch."""
    return {
        model.__name__: list(model.objects.order_by("pk").values())
        for model in (Person, PersonIdentifier, Post, PersonScope, Event)
    }


def new_events(before: dict[str, list[Any]]) -> list[tuple[str, str]]:
    last = max((row["id"] for row in before["Event"]), default=0)
    return list(Event.objects.filter(id__gt=last).order_by("id").values_list("action", "subject_ref"))


def codes(outcome: DirectoryImportResult) -> list[tuple[int, str, str]]:
    return [(each.line, each.field, each.code) for each in outcome.problems]
