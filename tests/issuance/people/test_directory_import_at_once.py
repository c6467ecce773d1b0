"""An import of the catalogue beside pages that read and change the same people, killed on the way, and at any size."""

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance.people.models.persons import Person, Post
from issuance.people.ports_files import DirectoryFiles, FileRow
from issuance.people.queries.scope_check import scope_faults
from issuance.people.services import directory_import, directory_import_apply, people
from issuance.people.services.directory_import import DirectoryImportOptions
from issuance.records.domain.ids import PersonId, PersonIdKind
from issuance.records.models.events import Event
from siths_portal.lib import ports
from siths_portal.lib.database import bulk
from siths_portal.lib.errors import Conflict, Unavailable
from tests import superuser
from tests.issuance.people.directory_world import Importing, everything
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def importing(world: Any, tmp_path: Path) -> "Importing":
    return Importing(world, tmp_path / "katalogen.csv")


class TestAtOnce:
    def test_a_second_import_is_refused_while_one_runs(self, importing: Importing) -> None:
        importing.row()
        with superuser.cursor("another import") as other:
            other.execute("SELECT pg_advisory_lock(%s)", [directory_import._LOCK])
            with pytest.raises(Conflict, match="import-running"):
                importing.run()
            other.execute("SELECT pg_advisory_unlock(%s)", [directory_import._LOCK])
        assert importing.run().counts.new_people == 1

    def test_it_steps_back_for_who_changes_the_same_person_and_begins_anew(
        self, importing: Importing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        post = importing.world.post()
        importing.row(post, title="Överläkare")
        waits = []
        with superuser.cursor("a page") as page:
            page.execute("SELECT id FROM issuance_person WHERE id = %s FOR UPDATE", [str(post.person_id)])

            def paused(_seconds: float) -> None:
                waits.append(page.connection.rollback())

            monkeypatch.setattr(directory_import.time, "sleep", paused)
            assert importing.run().counts.posts == {"change": 1}
        assert len(waits) == 1
        assert Post.objects.get(pk=post.pk).title == "Överläkare"

    def test_it_gives_up_in_the_end_and_has_changed_nothing(self, importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
        post = importing.world.post()
        importing.row(post, title="Överläkare")
        importing.row()
        before = everything()
        monkeypatch.setattr(directory_import.time, "sleep", lambda _seconds: None)
        monkeypatch.setattr(directory_import, "ATTEMPTS", 2)
        with superuser.cursor("a page") as page:
            page.execute("SELECT id FROM issuance_person WHERE id = %s FOR UPDATE", [str(post.person_id)])
            with pytest.raises(Unavailable, match="import-outrun"):
                importing.run()
            page.connection.rollback()
        assert everything() == before

    def test_who_was_read_in_meanwhile_is_there_once(self, importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
        row = importing.row()
        number = PersonId(PersonIdKind.PERSONNUMMER, row["person_id"])
        with before_the_change(monkeypatch, lambda: importing.world.post(person_id=number)):
            outcome = importing.run()
        assert (outcome.counts.new_people, outcome.counts.posts) == (0, {"add": 1})
        person = Person.objects.get(identifiers__value=row["person_id"])
        assert (person.surname, person.posts.count()) == ("Provsson", 2)
        assert scope_faults().ok

    def test_what_a_page_read_meanwhile_is_newer_than_the_file(
        self, importing: Importing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        changed, moved = importing.world.post(), importing.world.post()
        importing.row(changed, title="Filens")
        importing.row(moved, organisation_hsa_id=importing.world.city.hsa_id)
        importing.world.outside.change_post(changed.hsa_id, title="Sidans")
        importing.world.outside.change_post(moved.hsa_id, title="Sidans")

        def read() -> None:
            for post in (changed, moved):
                people.remember(post_id=post.pk, live=people.read_live(post))

        with before_the_change(monkeypatch, read):
            importing.run()
        assert [post.title for post in Post.objects.filter(pk__in=[changed.pk, moved.pk], ended_at=None)] == ["Sidans"] * 2

    def test_who_was_found_to_have_left_meanwhile_comes_to_no_other_place_by_an_older_file(
        self, importing: Importing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        post = importing.world.post()
        importing.row(post, organisation_hsa_id=importing.world.city.hsa_id)

        def read() -> None:
            del importing.world.outside.posts[post.hsa_id.upper()]
            people.remember(post_id=post.pk, live=people.read_live(post))

        with before_the_change(monkeypatch, read):
            importing.run()
        assert not Post.objects.filter(hsa_id=post.hsa_id, ended_at=None).exists()
        assert not Event.objects.filter(action="post.registered").exists()
        assert scope_faults().ok

    def test_people_of_whom_nothing_changes_are_not_locked(self, importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
        same, changed = importing.world.post(), importing.world.post()
        importing.row(same)
        importing.row(changed, title="Överläkare")
        apply_plan = directory_import_apply.apply_plan
        locked: list[bool] = []

        def looked_at(**values: Any) -> None:
            apply_plan(**values)
            for post in (same, changed):
                with superuser.cursor("a page") as page:
                    try:
                        page.execute("SELECT FROM issuance_person WHERE id = %s FOR UPDATE NOWAIT", [str(post.person_id)])
                        locked.append(False)
                    except psycopg2.errors.LockNotAvailable:
                        locked.append(True)
                    page.connection.rollback()

        monkeypatch.setattr(directory_import_apply, "apply_plan", looked_at)
        importing.run()
        assert locked == [False, True]

    def test_a_session_that_the_database_ends_is_told_in_a_line_and_has_changed_nothing(
        self, importing: Importing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        importing.row()
        before = everything()
        apply_plan = directory_import_apply.apply_plan

        def ended(**values: Any) -> None:
            apply_plan(**values)
            with superuser.cursor() as other:
                other.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.connection.info.backend_pid])

        monkeypatch.setattr(directory_import_apply, "apply_plan", ended)
        _, line = importing.refused()
        assert line.startswith("databasen kunde inte ta emot filen; inget är ändrat till hälften.")
        connection.close()
        assert everything() == before

    def test_killed_before_it_commits_it_has_changed_nothing_and_can_be_repeated(self, importing: Importing) -> None:
        clerk = importing.world.officer()
        importing.row()
        importing.row(Post.objects.get(person=clerk.person_id), title="Överläkare")
        before = everything()
        program = (
            "import os, signal, sys, manage\n"
            "import django; os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'siths_portal.settings'); django.setup()\n"
            "from issuance.roles.services import ended_roles\n"
            # the last step but the commit
            "ended_roles.with_something_under_way = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
            "sys.argv = ['manage.py', 'issuance_import_directory', sys.argv[1]]\n"
            "manage.main()\n"
        )
        done = subprocess.run([sys.executable, "-c", program, str(importing.write())], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert everything() == before
        wait_for(lambda: not _running())
        assert importing.run().counts.changes == 3
        assert Post.objects.get(person=clerk.person_id).title == "Överläkare"


def _running() -> bool:
    """Whether a session holds the lock of imports."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        return bool(cursor.fetchone()[0])


@contextlib.contextmanager
def before_the_change(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> Iterator[None]:
    """Somebody else acts, once, between the plan and the change."""
    apply_plan, acted = directory_import_apply.apply_plan, []

    def elsewhere() -> None:
        try:
            act()
        finally:
            connection.close()

    def after_another(**values: Any) -> None:
        if not acted:
            acted.append(True)
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
        apply_plan(**values)

    with monkeypatch.context() as patched:
        patched.setattr(directory_import_apply, "apply_plan", after_another)
        yield
    assert acted


class TestSize:
    def test_no_more_rows_are_in_memory_than_a_chunk(self, importing: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
        for _ in range(25):
            importing.row()
        files, read, copied = ports.get(DirectoryFiles), [], []

        class Counting:
            def rows(self, *arguments: Any, **options: Any) -> Iterator[FileRow]:
                for row in files.rows(*arguments, **options):
                    read.append(row.line)
                    yield row

        copy = bulk.copy

        def counted(*arguments: Any) -> int:
            assert len(read) - sum(copied) <= 10
            copied.append(copy(*arguments))
            return copied[-1]

        monkeypatch.setattr(directory_import, "CHUNK", 10)
        monkeypatch.setattr(bulk, "copy", counted)
        monkeypatch.setattr(ports, "get", lambda port: Counting())
        assert importing.run().counts.new_people == 25
        assert copied == [10, 10, 5]

    def test_queries_do_not_grow_with_rows_or_changes(self, importing: Importing) -> None:
        def asked(count: int) -> int:
            posts = [importing.world.post() for _ in range(count)]
            importing.rows = []
            importing.everybody()
            for row in importing.rows[-count:]:
                row["title"] = f"Titel {count}"
            for number in range(count):
                importing.row(hsa_id=f"TST2321000131-Q{count}X{number}")
                importing.row(hsa_id=f"TST2321000131-M{count}X{number}", person_id=people.person_id_of(posts[0].person_id).value)
            importing.rows = importing.rows[1:]
            path = importing.write()
            with CaptureQueriesContext(connection) as queries:
                directory_import.run(path, DirectoryImportOptions(full=True))
            return len(queries)

        assert asked(2) == asked(20)
