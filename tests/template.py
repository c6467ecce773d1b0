"""A migrated database cluster that is made once a run, in a process of its own, and copied by each test process and by the stage.

`python -m tests.template FOLDER` makes it. Test processes start meanwhile and wait for its end in `cluster_of`.
"""

import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

from siths_portal.dev.private_services import DATABASE, OWNER_ROLE, PRIVILEGES_SQL, ROLES_SQL, PrivatePostgres
from tests.database_roles import TEST_ROLE, TEST_ROLE_SQL, let_tests_arrange

NAME = "test_siths"
SECONDS = 600
STATEMENT_SECONDS = 240
"""Less than a test may take: the time-out of a test cannot end a wait for the database."""

DURABLE = "fsync = on\nsynchronous_commit = on\nfull_page_writes = on\nautovacuum_analyze_threshold = 50\n"
"""What the template has otherwise, as PostgreSQL has it by default (`PrivatePostgres.create`)."""
_END = "end"
"""The file that says that the template is finished: empty, or with the traceback of what failed."""


def _cluster(folder: Path) -> PrivatePostgres:
    return PrivatePostgres(folder / "pg" / "data", folder / "pg", fsync=False, roles=(TEST_ROLE,))


def begin(folder: Path) -> "subprocess.Popen[bytes]":
    """Starts making the template in the folder."""
    folder.mkdir(mode=0o755)
    root = Path(__file__).resolve().parent.parent
    return subprocess.Popen([sys.executable, "-m", "tests.template", str(folder)], cwd=root, stdin=subprocess.DEVNULL)


def cluster_of(folder: Path, own: PrivatePostgres) -> None:
    """Starts `own` as a copy of the template when that is finished. Raises RuntimeError if the template failed."""
    copy_to(folder, own)
    own.start()


def copy_to(folder: Path, own: PrivatePostgres) -> None:
    """Gives `own`, which does not run yet, the template's files when those are finished. Raises RuntimeError if they failed."""
    deadline = time.monotonic() + SECONDS
    while not (folder / _END).exists():
        if time.monotonic() > deadline:
            raise RuntimeError(f"no template database within {SECONDS} s")
        time.sleep(0.05)
    if fault := (folder / _END).read_text():
        raise RuntimeError(fault)
    own.data.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(_cluster(folder).data), str(own.data)], check=True)
    with (own.data / "postgresql.conf").open("a") as configuration:
        configuration.write(f"unix_socket_directories = '{own.socket_dir}'\n" + (DURABLE if own.fsync else ""))
    own.create()  # whose files are there: it lets the users in


def become_plain(own: PrivatePostgres) -> None:
    """Makes of the running copy what `migrate` makes of nothing: the database has its usual name, and no test a right."""
    own.psql(f"ALTER DATABASE {NAME} RENAME TO {DATABASE}")
    own.psql(f"DROP OWNED BY {TEST_ROLE}; DROP ROLE {TEST_ROLE}", database=DATABASE)


def make(folder: Path) -> None:
    """Makes the database as the owner and migrates it; then the cluster stands still."""
    cluster = _cluster(folder)
    cluster.create()
    cluster.start()
    try:
        cluster.psql(ROLES_SQL + TEST_ROLE_SQL + f"ALTER ROLE {TEST_ROLE} SET statement_timeout = '{STATEMENT_SECONDS}s'")
        cluster.psql(f"CREATE DATABASE {NAME} OWNER {OWNER_ROLE}")
        cluster.psql(PRIVILEGES_SQL, database=NAME)
        os.environ.update(DATABASE_URL=cluster.url(OWNER_ROLE, NAME), DJANGO_SETTINGS_MODULE="siths_portal.settings")
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection, connections

        call_command("migrate", verbosity=0, interactive=False)
        with connection.cursor() as cursor:
            let_tests_arrange(cursor)
        connections.close_all()
    finally:
        cluster.stop("fast")  # what is in memory goes into the files


def main(folder: Path) -> None:
    """Makes the template and says how it ended."""
    fault = ""
    try:
        make(folder)
    except BaseException:
        fault = traceback.format_exc()
        raise
    finally:
        partial = folder / f"{_END}.part"
        partial.write_text(fault)
        partial.rename(folder / _END)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
