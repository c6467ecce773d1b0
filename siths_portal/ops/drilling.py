"""Drills a restore in an installation of its own (F15): everything but the backup and the journal is deleted in between.

The installation is a PostgreSQL with fsync, tokens, a key ceremony and the portal's own commands, in a folder that is removed
afterwards. Each step is a process of its own, as an operator would run it.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from pyrage import x25519

from siths_portal.dev import approvers, tokens
from siths_portal.dev.home import base_env
from siths_portal.dev.private_services import (
    API_ROLE,
    APP_ROLE,
    BACKUP_ROLE,
    OWNER_ROLE,
    PKI_ROLE,
    WORKER_ROLE,
    PrivatePostgres,
)
from siths_portal.ops.backups import DATABASE

YESTERDAY, NEW_REVOKED, OLD_REVOKED = 100, 25, 5
CUSTODIANS = ("first", "second")
_ROLES = {
    "DATABASE_URL": APP_ROLE,
    "DATABASE_API_URL": API_ROLE,
    "DATABASE_PKI_URL": PKI_ROLE,
    "DATABASE_WORKER_URL": WORKER_ROLE,
    "DATABASE_OWNER_URL": OWNER_ROLE,
    "DATABASE_BACKUP_URL": BACKUP_ROLE,
}

type Say = Callable[[str], None]


class DrillFailed(RuntimeError):
    """A step failed; the text is its output."""


@dataclass
class Installation:
    """The drill's installation. `seconds` has the duration of each step."""

    folder: Path
    say: Say
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def var(self) -> Path:
        """What the installation writes, except the journal and the backups."""
        return self.folder / "var"

    @property
    def list(self) -> Path:
        """The client's own list."""
        return self.folder / "client.json"

    def postgres(self, data: Path | None = None) -> PrivatePostgres:
        """Returns the cluster, which has the same socket before and after the restore."""
        return PrivatePostgres(data or self.folder / "pg" / "data", self.folder / "pg")

    def environment(self) -> dict[str, str]:
        """Returns the environment of its processes. It has no Redis: the database is the queue."""
        own = {
            "DEBUG": "1",
            "SITHS_VAR_DIR": str(self.var),
            "JOURNAL_DIR": str(self.folder / "journal"),
            "SOFTHSM2_CONF": str(self.folder / "softhsm2.conf"),
            "PKCS11_PIN_FILE": str(self.folder / "secrets" / "pin"),
            "REDIS_URL": f"unix://{self.folder}/no-redis",
            "CELERY_BROKER_URL": f"redis+socket://{self.folder}/no-redis",
            "BACKUP_DIR": str(self.folder / "backup"),
            "BACKUP_RECIPIENT_FILES": ",".join(str(self.folder / f"{name}.recipients") for name in CUSTODIANS),
        }
        return base_env() | own | {name: self.postgres().url(role) for name, role in _ROLES.items()}

    def manage(self, *arguments: str) -> str:
        """Runs a command of `manage.py` and returns its output. Raises DrillFailed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DrillFailed(f"{arguments[0]}: {(done.stdout + done.stderr).strip()[-3000:]}")
        return done.stdout.strip()

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Measures a step and prints its name and duration."""
        began = time.monotonic()
        yield
        self.seconds[step] = time.monotonic() - began
        self.say(f"{step:<48}{self.seconds[step]:8.1f} s")


def drill(count: int, *, say: Say) -> list[str]:
    """Runs the drill with `count` certificates after the backup. Returns the differences that it found. Raises DrillFailed."""
    folder = Path(tempfile.mkdtemp(prefix="siths-drill-"))
    folder.chmod(0o755)  # the user of PostgreSQL enters it
    house = Installation(folder, say)
    running = house.postgres()
    try:
        with house.timed("installation med tokens och nyckelceremoni"):
            running.create()
            running.start()
            _install(house, running)
        _issue(house, YESTERDAY)
        with house.timed("ops_backup"):
            say(house.manage("ops_backup").splitlines()[-1])
        _issue(house, count, NEW_REVOKED, OLD_REVOKED)
        running.stop("immediate")
        _lose(house)
        with house.timed("ops_restore"):
            _restore(house)
            running = house.postgres(folder / "restored" / DATABASE)
            running.create()  # lets the drill's user in
            running.start()
        with house.timed("jämförelse med klientens lista"):
            found = house.manage("ops_restore_drill", "--compare", str(house.list)).splitlines()
            house.manage("pki_ocsp_publish", "--once")
        return found
    finally:
        _end(running)
        shutil.rmtree(folder, ignore_errors=True)


def _install(house: Installation, postgres: PrivatePostgres) -> None:
    postgres.provision()
    for name in ("backup", "secrets", "var", "var/tokens", "var/audit", "var/ceremony"):
        (house.folder / name).mkdir(mode=0o700)
    for name, digits in (("pin", 8), ("so_pin", 12)):
        tokens.write_private(house.folder / "secrets" / name, tokens.digits(digits))
    tokens.write_private(house.folder / "softhsm2.conf", tokens.SOFTHSM_CONF.format(folder=house.var / "tokens"))
    tokens.initialise(house.var, house.folder / "secrets", house.environment())
    for name in CUSTODIANS:
        key = x25519.Identity.generate()
        tokens.write_private(house.folder / f"{name}.key", f"{key}\n")
        tokens.write_private(house.folder / f"{name}.recipients", f"{key.to_public()}\n")
    house.manage("migrate", "-v", "0")
    ceremony = house.var / "ceremony" / "ceremony.yaml"
    demo = Path(approvers.__file__).with_name("demo_ceremony.yaml").read_text()
    ceremony.write_text(demo.replace("rsa-4096", "rsa-2048"))  # keys of 4096 bits take minutes
    approvers.approve(ceremony, ceremony.parent)
    house.manage("pki_ceremony", str(ceremony))


def _issue(house: Installation, count: int, new: int = 0, old: int = 0) -> None:
    with house.timed(f"{count} certifikat utfärdade, {new + old} spärrade"):
        house.manage(
            "ops_restore_drill",
            "--issue",
            str(house.list),
            "--certificates",
            str(count),
            "--revoke",
            str(new),
            "--revoke-old",
            str(old),
        )
        house.manage("pki_ocsp_publish", "--once")


def _lose(house: Installation) -> None:
    """Deletes the database, the tokens, the status store and everything else but backups and journal."""
    shutil.rmtree(house.folder / "pg" / "data")
    shutil.rmtree(house.var)
    house.say("databas, tokens, OCSP-svar, spärrlistor och ankare är raderade")


def _restore(house: Installation) -> None:
    (backup,) = sorted((house.folder / "backup").iterdir())
    keys = [argument for name in CUSTODIANS for argument in ("--identity", str(house.folder / f"{name}.key"))]
    for line in house.manage("ops_restore", str(backup), "--to", str(house.folder / "restored"), *keys).splitlines():
        house.say(f"  {line}")
    house.var.mkdir()
    for name in ("tokens", "audit", "ceremony"):
        (house.folder / "restored" / name).replace(house.var / name)


def _end(postgres: PrivatePostgres) -> None:
    """Stops the cluster if it runs."""
    if (postgres.data / "postmaster.pid").exists():
        postgres.stop("immediate")
