"""Restores a backup into a new folder, and makes it a database that lost nothing of what was issued (ADR 0062).

The restored cluster runs behind a private socket while the journal is replayed: OCSP, sites and workers first see it when every
revocation is in it, and no serial or number can be given twice.
"""

import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from siths_portal.lib import clock
from siths_portal.lib.processes import table
from siths_portal.ops import encryption
from siths_portal.ops.backups import DATABASE, Backup, BackupError, Report
from siths_portal.ops.cluster import Cluster

TRANSACTIONS_PER_SECOND = 1000
LEAST, MOST = 10_000_000, 1_500_000_000
"""Limits of how far the counter of transactions moves. PostgreSQL refuses to work two thousand million ahead of old rows."""
REPLAYS = (("pki_replay_journal", "pki"), ("billing_replay_journal", "worker"))
"""The commands that read the journal, each with the database role that it connects as."""
_NOTHING = "mappen är inte tom"

type Say = Callable[[str], None]


@dataclass(frozen=True)
class Restored:
    """A finished restore: where the database is, and the number of its next transaction."""

    database: Path
    next_transaction: int


def restore(backup: Backup, target: Path, keys: encryption.Identities, *, say: Say, report: Report) -> Restored:
    """Restores the backup below `target`, a new or empty folder, and replays the journal that was written since.

    The database is in `target/database`, the other folders beside it by their names. It is stopped at the end.
    Raises BackupError, WrongKeys, ClusterError.
    """
    if target.exists() and any(target.iterdir()):
        raise BackupError(f"{target}: {_NOTHING}")
    target.mkdir(mode=0o711, exist_ok=True)
    target.chmod(0o711)  # the user of PostgreSQL must be able to enter
    for name in backup.parts:
        place = target / DATABASE if name == DATABASE else target
        place.mkdir(mode=0o700, exist_ok=True)
        _unpack(backup, name, keys, place, report)
    cluster = Cluster(target / DATABASE)
    cluster.take_over()
    say("jämför databasens filer med kopians förteckning")
    cluster.verify()
    say("startar databasen för sig själv")
    with cluster.started():
        pass  # the recovery brings the files to one moment
    number = cluster.move_transactions(_distance(backup))
    with cluster.started() as socket:
        for command, role in REPLAYS:
            say(f"läser journalen: {command}")
            _run(command, role, socket, backup, say)
    return Restored(cluster.data, number)


def _distance(backup: Backup) -> int:
    """Returns by how many transactions the counter must move to be past every number that anybody has read (ADR 0061)."""
    seconds = max(0, int((clock.now() - backup.started_at).total_seconds()))
    wanted = max(LEAST, seconds * TRANSACTIONS_PER_SECOND)
    if wanted > MOST:
        raise BackupError(
            "kopian är för gammal: transaktionernas nummer räcker inte till (docs/operations.md, Backup and restore)"
        )
    return wanted


def _unpack(backup: Backup, name: str, keys: encryption.Identities, place: Path, report: Report) -> None:
    """Decrypts and unpacks a part. Raises BackupError if it was changed, cut off or is of other keys."""
    try:
        with (backup.folder / backup.parts[name]["file"]).open("rb") as file, encryption.decrypted(file, keys) as plain:
            with tarfile.open(fileobj=plain, mode="r|") as archive:
                archive.extractall(place, filter="data")
            report(name, file.tell())
    except (*encryption.FAILURES, tarfile.TarError) as error:
        raise BackupError(f"{name} går inte att öppna: {error}") from error


def _run(command: str, role: str, socket: Path, backup: Backup, say: Say) -> None:
    """Runs a command of `manage.py` on the restored cluster, as its role, and passes on what it prints."""
    arguments = [sys.executable, "manage.py", command, "--since", backup.started_at.isoformat()]
    done = subprocess.run(
        arguments,
        cwd=settings.BASE_DIR,
        env=environment(role, socket),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        say(f"  {line}")
    if done.returncode:
        raise BackupError(f"{command}: {done.stderr.strip()[-2000:]}")


def environment(role: str, socket: Path) -> dict[str, str]:
    """Returns the environment of a process that connects as `role` to the cluster behind `socket`, and to nothing else."""
    url = f"postgres://{settings.DATABASE_ROLES[role]}@/{settings.DATABASES['default']['NAME']}?host={socket}"
    others = dict.fromkeys((*table.DATABASE_URLS.values(), table.OWNER_URL), "")
    return os.environ | others | {table.DATABASE_URLS[role]: url}
