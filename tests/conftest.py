"""Private services for one test run: PostgreSQL (owner makes, application uses), Redis and a SoftHSM folder, in a new folder.

Each run has its own, so runs do not meet, in one machine or in one clone. Durability is off here and nowhere else.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from siths_portal.dev.private_services import (
    APP_ROLE,
    OWNER_ROLE,
    PRIVILEGES_SQL,
    ROLES_SQL,
    PrivatePostgres,
    PrivateRedis,
)

pytest_plugins = ["tests.pki_fixtures"]
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")

_running: dict[str, object] = {}


def _postgres(root: Path) -> PrivatePostgres:
    return PrivatePostgres(root / "pg" / "data", root / "pg", fsync=False)


def _start_services() -> Path:
    root = Path(tempfile.mkdtemp(prefix="siths-test-", dir="/tmp"))
    root.chmod(0o755)
    postgres = _postgres(root)
    _running.update(root=root, postgres=postgres)
    postgres.create()
    postgres.start()
    postgres.psql(ROLES_SQL)
    _running["redis"] = PrivateRedis(root / "redis", root / "redis.sock").start()
    (root / "pin").write_text("648219")
    (root / "secret").write_text("test-key-" + "x" * 50)
    return root


def _own_folder(root: Path, worker: str) -> None:
    """What the processes of a parallel run may not share: the folder of files, the tokens, and the queue's database."""
    own = root / worker
    (own / "var").mkdir(parents=True)
    (own / "tokens").mkdir()
    (own / "softhsm2.conf").write_text(
        f"directories.tokendir = {own}/tokens\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
    )
    number = int(worker.removeprefix("gw") or 0) if worker.startswith("gw") else 0
    redis = PrivateRedis(root / "redis", root / "redis.sock", database=number)
    os.environ.update(
        SITHS_TEST_ROOT=str(root),
        SITHS_VAR_DIR=str(own / "var"),
        DEBUG="1",
        DATABASE_URL=_postgres(root).url(APP_ROLE, "siths"),
        REDIS_URL=redis.url(),
        CELERY_BROKER_URL=redis.broker_url(),
        SOFTHSM2_CONF=str(own / "softhsm2.conf"),
        PKCS11_PIN_FILE=str(root / "pin"),
        SECRET_KEY_FILE=str(root / "secret"),
    )


def pytest_configure(config: pytest.Config) -> None:
    """Starts the services before Django reads its settings; the processes of a parallel run share PostgreSQL and Redis."""
    workerinput = getattr(config, "workerinput", None)
    root = Path(os.environ["SITHS_TEST_ROOT"]) if workerinput else _start_services()
    _own_folder(root, workerinput["workerid"] if workerinput else "main")
    os.environ["DJANGO_SETTINGS_MODULE"] = "siths_portal.settings"
    import django

    django.setup()  # before collection, since test modules import models


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends what `pytest_configure` started."""
    if "root" not in _running:
        return
    redis = _running["redis"]
    assert isinstance(redis, subprocess.Popen)
    redis.terminate()
    redis.wait()
    postgres = _running["postgres"]
    assert isinstance(postgres, PrivatePostgres)
    postgres.stop()
    shutil.rmtree(str(_running["root"]), ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(request: pytest.FixtureRequest, django_test_environment: None, django_db_blocker) -> Iterator[None]:
    """Makes this worker's database as the owner and migrates it, then connects as the application role."""
    from django.core.management import call_command
    from django.db import connection, connections
    from django.test import TransactionTestCase

    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    name = f"test_siths_{worker}"
    postgres = _postgres(Path(os.environ["SITHS_TEST_ROOT"]))
    postgres.psql(f"CREATE DATABASE {name} OWNER {OWNER_ROLE}")
    postgres.psql(PRIVILEGES_SQL, database=name)
    with django_db_blocker.unblock():
        connection.close()
        settings = connections.databases["default"]
        settings.update(NAME=name, USER=OWNER_ROLE, CONN_MAX_AGE=None)
        connection.settings_dict.update(NAME=name, USER=OWNER_ROLE, CONN_MAX_AGE=None)
        call_command("migrate", verbosity=0, interactive=False)
        connection.close()
        settings.update(USER=APP_ROLE)
        connection.settings_dict.update(USER=APP_ROLE)
    os.environ["DATABASE_URL"] = postgres.url(APP_ROLE, name)  # for processes that a test starts
    TransactionTestCase._fixture_teardown = lambda self: flush_database()  # type: ignore[method-assign]
    yield
    with django_db_blocker.unblock():
        connections.close_all()


def flush_database() -> None:
    """Empties every table as superuser with triggers off: the application may not delete events."""
    import psycopg2
    from django.conf import settings
    from django.db import connection

    kept = {"django_migrations", "django_content_type", "auth_permission"}
    tables = [t for t in connection.introspection.table_names() if t not in kept]
    options = connection.settings_dict["OPTIONS"]
    superuser = psycopg2.connect(dbname=connection.settings_dict["NAME"], user="postgres", host=options["host"])
    with contextlib.closing(superuser), superuser, superuser.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(";".join(f'DELETE FROM "{table}"' for table in tables))
    for anchor in Path(settings.AUDIT_ANCHOR_DIR).glob(f"{connection.settings_dict['NAME']}.*.json"):
        anchor.unlink()


def pytest_make_parametrize_id(val: object) -> str | None:
    """Short names of cases that are the same in every process: bytes by their start, large numbers by their size."""
    if isinstance(val, bytes):
        return f"{val[:4].hex() or 'nothing'}-{len(val)}-bytes"
    if isinstance(val, int) and val.bit_length() > 64:
        return f"{val.bit_length()}-bits"
    return None
