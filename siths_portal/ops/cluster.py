"""A restored PostgreSQL cluster that nothing else can reach: it listens on a socket in a private folder only."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 3600
"""Seconds for the recovery after a backup: as much WAL as was written while the backup was made."""
SEGMENT = 1 << 20
"""Transactions of one file of pg_xact. A counter at the beginning of a file needs no earlier page of it."""
_FIRST_TRANSACTION = 3


class ClusterError(RuntimeError):
    """A program of PostgreSQL failed; the text is its message."""


def program(name: str, *, version: str = "") -> str:
    """Returns the path of a program of PostgreSQL, of this major version or else the newest. Raises ClusterError."""
    installed = Path("/usr/lib/postgresql").glob(f"{version or '*'}/bin/{name}")
    found = sorted(installed, key=lambda path: int(path.parts[-3]))
    path = str(found[-1]) if found else shutil.which(name)
    if path is None:
        raise ClusterError(f"{name} finns inte: installera PostgreSQL{f' {version}' if version else ''}")
    return path


@dataclass(frozen=True)
class Cluster:
    """The cluster in `data`. If root works with it, the user `postgres` owns it, since PostgreSQL refuses to run as root."""

    data: Path

    @property
    def version(self) -> str:
        """The major version of the files."""
        return (self.data / "PG_VERSION").read_text().strip()

    @property
    def user(self) -> str:
        """The system user that owns and runs it."""
        return "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    def run(self, name: str, *arguments: str) -> str:
        """Runs a program of the cluster's version as its user and returns its output. Raises ClusterError."""
        command = [program(name, version=self.version), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", self.user, "--", *command]
        done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ClusterError(f"{name}: {(done.stderr.strip() or done.stdout.strip())[-2000:]}")
        return done.stdout

    def take_over(self) -> None:
        """Gives the files to the cluster's user, with the modes that PostgreSQL requires."""
        self.data.chmod(0o700)
        if os.geteuid() == 0:
            for folder, _, files in os.walk(self.data):
                for path in (Path(folder), *(Path(folder) / file for file in files)):
                    shutil.chown(path, self.user)

    def verify(self) -> None:
        """Compares each file with the manifest that `pg_basebackup` made. Raises ClusterError."""
        self.run("pg_verifybackup", "--quiet", str(self.data))

    @contextmanager
    def started(self) -> Iterator[Path]:
        """Starts the server while the block runs and yields the folder of its socket. Raises ClusterError.

        It has a configuration of its own: the backup's may name files of another machine, and would let clients in.
        """
        folder = Path(tempfile.mkdtemp(prefix="siths-restore-"))
        try:
            for name, lines in (
                ("postgresql.conf", self._settings(folder)),
                ("hba.conf", ["local all all trust"]),
                ("ident.conf", []),
            ):
                (folder / name).write_text("".join(f"{line}\n" for line in lines))
            if os.geteuid() == 0:
                for path in (folder, *folder.iterdir()):
                    shutil.chown(path, self.user)
            options = f"-c config_file={folder}/postgresql.conf"
            self.run(
                "pg_ctl",
                "-D",
                str(self.data),
                "-w",
                "-t",
                str(PATIENCE),
                "-o",
                options,
                "-l",
                str(folder / "server.log"),
                "start",
            )
            try:
                yield folder
            finally:
                self.run("pg_ctl", "-D", str(self.data), "-w", "-t", str(PATIENCE), "-m", "fast", "stop")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _settings(self, folder: Path) -> list[str]:
        return [
            f"data_directory = '{self.data}'",
            f"hba_file = '{folder}/hba.conf'",
            f"ident_file = '{folder}/ident.conf'",
            f"unix_socket_directories = '{folder}'",
            "listen_addresses = ''",
            "timezone = 'UTC'",
            "log_min_error_statement = 'panic'",
            "log_error_verbosity = 'terse'",
        ]

    def next_transaction(self) -> int:
        """Returns the number of the next transaction of the stopped cluster, with its epoch. Raises ClusterError."""
        found = re.search(r"NextXID:\s+(\d+):(\d+)", self.run("pg_controldata", str(self.data)))
        if found is None:
            raise ClusterError("pg_controldata: no NextXID")
        return (int(found[1]) << 32) + int(found[2])

    def move_transactions(self, least: int) -> int:
        """Moves the stopped cluster's counter of transactions forward by at least `least`, and returns its new value.

        The result begins a file of pg_xact, so that PostgreSQL needs none of the files between. Raises ClusterError.
        """
        wanted = -(-(self.next_transaction() + least) // SEGMENT) * SEGMENT
        if wanted % (1 << 32) < _FIRST_TRANSACTION:
            wanted += SEGMENT
        self.run("pg_resetwal", "-e", str(wanted >> 32), "-x", str(wanted % (1 << 32)), str(self.data))
        return wanted
