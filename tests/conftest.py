"""Private services for one test run: PostgreSQL (`tests/template.py`), Redis and a SoftHSM folder, in a new folder.

A test process does what several processes of production do, so its role is a member of all of theirs. What a test starts
connects so too, but for the API; attacks connect as the real roles (`tests/database_roles.py`).

Each run has its own, so runs do not meet, in one machine or in one clone. Durability is off here and nowhere else.
"""

import datetime as dt
import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from siths_portal.dev.private_services import API_ROLE, PrivatePostgres, PrivateRedis
from siths_portal.lib.processes.call_stack import with_room
from tests import (
    compiling,
    first_rows,
    fork_server,
    kept_connection,
    midnight,
    moving,
    opened_connections,
    openssl_errors,
    page_contexts,
    personal_addresses,
    ports,
    prepared_queries,
    pressing,
    scratch,
    secrets_in_clear,
    superuser,
    template,
)
from tests.database_roles import TEST_ROLE

if TYPE_CHECKING:
    import redis

pytest_plugins = ["tests.pki_fixtures", "tests.portal_fixtures", "tests.faults.fixtures"]
# jsonschema would load it for the formats "iri", which no schema here has, and it builds 39 parsers at once: two CPU seconds.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")

_running: dict[str, object] = {}
_brokers: dict[tuple[int, Path], "redis.Redis"] = {}
QUEUES = ("default", "pki", "suppliers", "unacked", "unacked_index")


def _postgres(root: Path) -> PrivatePostgres:
    return PrivatePostgres(root / "pg" / "data", root / "pg", fsync=False, roles=(TEST_ROLE,))


def _redis(root: Path) -> PrivateRedis:
    return PrivateRedis(root / "redis", root / "redis.sock")


def _make_folder() -> Path:
    """This process's own folder: files, tokens, PIN and key."""
    root = scratch.new_folder("siths-test-", 0o755)
    (root / "var").mkdir()
    (root / "tokens").mkdir()
    (root / "softhsm2.conf").write_text(
        f"directories.tokendir = {root}/tokens\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
    )
    (root / "pin").write_text("648219")
    (root / "secret").write_text("test-key-" + "x" * 50)
    redis = _redis(root)
    os.environ.update(
        SITHS_TEST_ROOT=str(root),
        SITHS_VAR_DIR=str(root / "var"),
        DEBUG="1",
        DATABASE_URL=_postgres(root).url(TEST_ROLE, "siths"),
        REDIS_URL=redis.url(),
        CELERY_BROKER_URL=redis.broker_url(),
        SOFTHSM2_CONF=str(root / "softhsm2.conf"),
        PKCS11_PIN_FILE=str(root / "pin"),
        PKI_START_BY_TWO="0",
        SECRET_KEY_FILE=str(root / "secret"),
    )
    _running["root"] = root
    return root


def _begin_template(root: Path) -> None:
    """Lets the migrated database be made while the test processes start: one for all of them, whose environment names it."""
    os.environ["SITHS_TEST_TEMPLATE"] = str(root / "template")
    _running["template"] = template.begin(root / "template")


def pytest_configure(config: pytest.Config) -> None:
    """Starts the services before Django reads its settings.

    Each process of a parallel run has its own: a feed's horizon counts the transactions of a whole PostgreSQL cluster.
    """
    if _measures(config):
        scratch.be_durable()
    root = _make_folder()
    _begin_template(root)
    _reach_nobody_else(root)
    gc.disable()  # until the tests are collected: little of what is loaded is garbage, and to search it takes long
    if not config.getoption("processes", 0):
        _running["redis"] = _redis(root).start()
    if not _measures(config):
        fork_server.use()
    _let_examples_take_their_time()
    os.environ["DJANGO_SETTINGS_MODULE"] = "siths_portal.settings"
    import django

    django.setup()  # before collection, since test modules import models
    pressing.press_by_default()
    page_contexts.keep_the_pages()
    personal_addresses.scan_requests()
    prepared_queries.compare()
    opened_connections.note_all()
    from django.conf import settings

    import siths_portal.celery  # noqa: F401  (makes it the current application, as in a worker: tests queue by it)
    from siths_portal.lib import ports

    settings.ANSWER_STEP_SECONDS = 0.0  # some thousand answers here are 404; what tests start holds them as in production
    ports.wire()  # as in a face: tests connect others in their place
    _invoice_everybody()


@pytest.hookimpl(optionalhook=True)
def pytest_process_start() -> None:
    """Gives a forked process its own folder and Redis."""
    first = _running["root"]
    assert isinstance(first, Path)
    _running.clear()
    root = _make_folder()
    moving.move_settings(first, root)
    ports.allow(str(root))
    _running["redis"] = _redis(root).start()


@pytest.hookimpl(optionalhook=True)
def pytest_process_end(config: pytest.Config) -> None:
    """Ends what a forked process has started."""
    pytest_unconfigure(config)


def _measures(config: pytest.Config) -> bool:
    """Whether this is a run of benchmarks, which measure whole processes, and a database that vacuums itself."""
    return any(Path(argument).name.startswith("bench_") for argument in config.args)


def _invoice_everybody() -> None:
    """Tests of set-up are not about customers and prices: nothing stops an invoice, unless a test connects the real adapter."""
    from issuance.administration.ports import InvoiceReadiness
    from siths_portal.lib import ports

    class Invoiced:
        def invoice_obstacles(self, party_id: object, article_codes: object) -> tuple[str, ...]:
            return ()

    ports.connect(InvoiceReadiness, Invoiced())


def _files_before_folders(arguments: list[str]) -> list[str]:
    """The arguments by depth, and at each depth files first.

    For a file, pytest 9.1 makes new nodes of the folders beside it, which lack the fixtures of a conftest that it has read
    for an earlier argument.
    """

    def place(argument: str) -> tuple[int, bool]:
        path = Path(argument.partition("::")[0])
        return len(path.parts), path.is_dir()

    return sorted(arguments, key=place)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Orders the arguments, and lets a second process compile tests from a fresh clone from the other end meanwhile."""
    session.config.args = _files_before_folders(session.config.args)
    if session.config.getoption("processes", 0):
        _running["compiling"] = compiling.begin(Path(__file__).parent)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> object:
    """Runs the tests with room for the frames of their calls, which forked processes inherit."""
    others = session.config.pluginmanager.subset_hook_caller("pytest_runtestloop", remove_plugins=[sys.modules[__name__]])
    return with_room(lambda: others(session=session))


def pytest_collection_finish() -> None:
    """What is loaded stays until the end: the collector looks past it from here on, and seldom at what comes and goes quickly."""
    if helper := _running.pop("compiling", None):
        assert isinstance(helper, int)
        compiling.end(helper)
    gc.freeze()
    gc.set_threshold(100_000, 20, 10)
    gc.enable()


def _reach_nobody_else(root: Path) -> None:
    """No address outside is the demo's or the machine's, and no Python process here or started here connects to one that is."""
    from tests.guard import sitecustomize

    search = [str(Path(sitecustomize.__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ.update({sitecustomize.OWN: str(root), "PYTHONPATH": os.pathsep.join(search), "PORT_BASE": "8000"})
    nobody = f"http://127.0.0.1:{ports.nobodys_port()}"
    os.environ.update(DIRECTORY_URL=nobody, PERSON_REGISTER_URL=nobody, OIDC_ISSUER=nobody, EID_APP_URL=f"{nobody}/")


def _let_examples_take_their_time() -> None:
    """An example that takes long says that the machine does much else: Hypothesis measures by the clock on the wall."""
    from hypothesis import HealthCheck, settings

    settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("busy")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Iterator[Any]:
    """Shows what PostgreSQL logged last beside a failure of the database: its log goes with the run's folder."""
    from django.db import OperationalError

    report: Any = yield
    root = _running.get("root")
    log = root / "pg" / "data" / "server.log" if isinstance(root, Path) else None
    if call.excinfo and call.excinfo.errisinstance(OperationalError) and log and log.exists():
        report.sections.append(("PostgreSQL", "\n".join(log.read_text().splitlines()[-30:])))
        report.sections.append(("Connections", opened_connections.report()))
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Makes a run red whose processes have left the PUK or the transport code of a test's card in a log."""
    if found := secrets_in_clear.leaky_logs(session.config._tmp_path_factory.getbasetemp()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.get_terminal_writer().line(f"\nA PUK or a code in clear in {', '.join(found)}", red=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends what `pytest_configure` started."""
    made = _running.get("template")
    if isinstance(made, subprocess.Popen):
        made.wait()
    redis = _running.get("redis")
    if isinstance(redis, subprocess.Popen):
        redis.terminate()
        redis.wait()
    postgres = _running.get("postgres")
    if isinstance(postgres, PrivatePostgres):
        postgres.stop()
    if "root" in _running:
        shutil.rmtree(str(_running["root"]), ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_setup(request: pytest.FixtureRequest, django_test_environment: None, django_db_blocker) -> Iterator[None]:
    """Starts this process's copy of the migrated database, and connects as the test's role."""
    from django.db import connection, connections
    from django.test import TransactionTestCase

    postgres = _postgres(Path(os.environ["SITHS_TEST_ROOT"]))
    template.cluster_of(Path(os.environ["SITHS_TEST_TEMPLATE"]), postgres)
    _running["postgres"] = postgres
    with django_db_blocker.unblock():
        connection.close()
        for settings in (connections.databases["default"], connection.settings_dict):
            settings.update(NAME=template.NAME, USER=TEST_ROLE, CONN_MAX_AGE=None)
    # For processes that a test starts.
    os.environ["DATABASE_URL"] = postgres.url(TEST_ROLE, template.NAME)
    os.environ["DATABASE_API_URL"] = postgres.url(API_ROLE, template.NAME)
    if not _measures(request.config):
        with django_db_blocker.unblock():
            superuser.stop_autovacuum()
    TransactionTestCase._fixture_teardown = lambda self: _end_transactions()  # type: ignore[method-assign]
    TransactionTestCase._should_reload_connections = lambda self: False  # type: ignore[method-assign]
    yield
    with django_db_blocker.unblock():
        connections.close_all()


def _end_transactions() -> None:
    """What a test with transactions of its own leaves is undone.

    The connection first: to drop its temporary tables is a transaction, and `first_rows` copies only where none came after the
    deletion of all rows.
    """
    kept_connection.keep_or_close()
    flush_database()


def flush_database() -> None:
    """Empties every table as superuser with triggers off: the application may not delete events."""
    from django.conf import settings
    from django.db import connection

    superuser.empty_tables(but=first_rows.FRAMEWORK)
    if "pki.authorities.clock_guard" in sys.modules:
        sys.modules["pki.authorities.clock_guard"]._checked = None  # type: ignore[attr-defined]  # the next test's database: nothing signed
    for anchor in Path(settings.AUDIT_ANCHOR_DIR).glob(f"{connection.settings_dict['NAME']}.*"):
        anchor.unlink(missing_ok=True)
    forget_wake_ups()
    first_rows.emptied()


def forget_wake_ups() -> None:
    """Empties the queues, also of what killed workers took: the next test's worker would work for rows that are gone."""
    import redis

    try:
        _broker().delete(*QUEUES)
    except redis.ConnectionError:  # a test has stopped the Redis of the connection that was kept
        _broker().delete(*QUEUES)


def nobody_works() -> bool:
    """Whether no worker waits for work in this process's Redis."""
    # A pooled connection of this process shows `brpop` too, as the last it did: only who is blocked (flag b) waits.
    return not any(client["cmd"] == "brpop" and "b" in client["flags"] for client in _broker().client_list())


def _broker() -> "redis.Redis":
    """This process's Redis, by a connection that is kept from one test to the next."""
    import redis

    root = _running["root"]
    assert isinstance(root, Path)
    own = os.getpid(), root
    if own not in _brokers:
        _brokers[own] = redis.Redis.from_url(_redis(root).url())
    return _brokers[own]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """No test begins in a day's last minute: many ask twice for the day, and mean one.

    Each file has a connection of its own, and tables without statistics.
    """
    while seconds := midnight.seconds_until_past(dt.datetime.now(dt.UTC)):
        time.sleep(seconds)  # which may come a little short by the clock on the wall
    try:
        return (yield)
    finally:
        if nextitem is None or nextitem.path != item.path:
            kept_connection.close()
            if "postgres" in _running and not _measures(item.config):
                with first_rows.rows_stay():
                    superuser.forget_statistics()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no worker of a parallel run ends with one while the others have nothing left."""
    seconds: dict[Path, float] = {}
    for item in items:
        seconds[item.path] = seconds.get(item.path, 0.0) + _expected_seconds(item)
    turns = {path: turn for turn, path in enumerate(sorted(seconds, key=lambda path: -seconds[path]))}
    items.sort(key=lambda item: turns[item.path])


def _expected_seconds(item: pytest.Item) -> float:
    """Roughly: what is long says so by a mark or a limit of its own, or by what it asks for."""
    marks = {mark.name for mark in item.iter_markers()}
    fixtures = set(getattr(item, "fixturenames", ()))
    long = 20.0 if marks & {"soak", "timeout"} else 0.0
    return 0.2 + long + (4.0 if "browser" in fixtures else 0.0) + (2.0 if "own_tokens" in fixtures else 0.0)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Makes a test red if it, or the fixtures that it is the first to ask for, sent an address that names somebody (S21).

    It begins without the OpenSSL errors of others.
    """
    openssl_errors.clear()
    try:
        result = yield
    finally:
        places = personal_addresses.found()
    if places and not item.get_closest_marker(personal_addresses.MARK):
        pytest.fail(f"Personal data in an address or a title: {', '.join(places)}", pytrace=False)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Makes up the cases of a test of an API's operation."""
    if described := sys.modules.get("tests.described"):
        described.make_up_cases(getattr(item, "obj", None))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Short names of cases that are the same in every process: bytes by their start, large numbers by their size."""
    if isinstance(val, bytes):
        return f"{val[:4].hex() or 'nothing'}-{len(val)}-bytes"
    if isinstance(val, int) and val.bit_length() > 64:
        return f"{val.bit_length()}-bits"
    return None
