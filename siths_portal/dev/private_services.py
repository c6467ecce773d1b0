"""Private PostgreSQL and Redis on unix sockets, for development and tests. Standard library only, as it runs before installs."""

import glob
import os
import pwd
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

OWNER_ROLE = "siths_owner"
APP_ROLE = "siths_app"  # the portal and Mina sidor
API_ROLE = "siths_api"
PKI_ROLE = "siths_pki"  # the process with the token
WORKER_ROLE = "siths_worker"  # all other processes and commands
BACKUP_ROLE = "siths_backup"  # copies the files of the cluster and reads no table
ROLES = (OWNER_ROLE, APP_ROLE, API_ROLE, PKI_ROLE, WORKER_ROLE)
DATABASE = "siths"
PATIENCE = 180  # seconds for a server to start or end on a busy machine

# The owner makes tables. `migrate` grants the other roles their privileges at its end (`siths_portal.wiring.privileges`).
ROLES_SQL = (
    "".join(
        f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
    CREATE ROLE {role} LOGIN{" CREATEDB" if role == OWNER_ROLE else ""};
  END IF;
END $$;
"""
        for role in ROLES
    )
    + f"""
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{BACKUP_ROLE}') THEN
    CREATE ROLE {BACKUP_ROLE} LOGIN REPLICATION;
  END IF;
END $$;
"""
)
_USERS = ", ".join(ROLES[1:])
_DEFAULT = f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER_ROLE} IN SCHEMA public"
PRIVILEGES_SQL = f"""
GRANT USAGE ON SCHEMA public TO {_USERS};
GRANT CREATE ON SCHEMA public TO {OWNER_ROLE};
{_DEFAULT} REVOKE ALL ON TABLES FROM {_USERS};
{_DEFAULT} GRANT SELECT ON TABLES TO {_USERS};
{_DEFAULT} GRANT USAGE, SELECT ON SEQUENCES TO {_USERS};
"""


def postgres_bin() -> Path:
    """Returns the folder of the newest installed PostgreSQL. Raises RuntimeError if there is none."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[-2]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
    return Path(found[-1])


@dataclass(frozen=True)
class PrivatePostgres:
    """A cluster in `data` with a socket in `socket_dir`. Its system user, the starting user and `users` may connect."""

    data: Path
    socket_dir: Path
    fsync: bool = True
    roles: tuple[str, ...] = ()  # more roles that the starting user may connect as
    users: tuple[tuple[str, str], ...] = ()  # more system users, and the one role that each may connect as

    @property
    def user(self) -> str:
        """The system user of the server: `postgres` if root starts it, since PostgreSQL refuses to run as root."""
        return "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    def _as_user(self, *command: str) -> list[str]:
        return ["runuser", "-u", self.user, "--", *command] if os.geteuid() == 0 else list(command)

    def _run(self, *command: str) -> str:
        done = subprocess.run(self._as_user(*command), cwd="/", capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def create(self) -> None:
        """Makes the cluster if it is missing: peer authentication, socket only. Without `fsync` it is not durable."""
        for folder in (self.data.parent, self.socket_dir):
            folder.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0:
                shutil.chown(folder, self.user)
        if (self.data / "PG_VERSION").exists():
            self._write_access()
            return
        options = ["--no-sync"] if not self.fsync else []
        self._run(
            str(postgres_bin() / "initdb"), "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
            "-A", "peer", *options,
        )  # fmt: skip
        settings = [
            "listen_addresses = ''",
            f"unix_socket_directories = '{self.socket_dir}'",
            "max_connections = 120",
            "timezone = 'UTC'",
            "log_min_error_statement = 'panic'",  # a failing statement's text can hold personal data
            "log_error_verbosity = 'terse'",
            "jit = off",  # to compile a query costs more than to run it: ours are short, and their estimates often too high
        ]
        if not self.fsync:
            settings += ["fsync = off", "synchronous_commit = off", "full_page_writes = off"]
            # ANALYZE runs in a transaction with a number. During a test it would hold back the horizon of feeds.
            settings += ["autovacuum_analyze_threshold = 2147483647"]
            settings += ["log_disconnections = on"]  # a connection that its client ended leaves no other trace
        self._write("postgresql.conf", settings, append=True)
        self._write_access()

    def _write_access(self) -> None:
        """Maps the starting user and the server's user to each role. PostgreSQL reads it at start and at pg_reload_conf."""
        own = sorted({self.user, pwd.getpwuid(os.geteuid()).pw_name})
        pairs = [(user, role) for user in own for role in ("postgres", *ROLES, BACKUP_ROLE, *self.roles)]
        self._write("pg_ident.conf", [f"siths {user} {role}" for user, role in (*pairs, *self.users)])
        self._write("pg_hba.conf", ["local all all peer map=siths", f"local replication {BACKUP_ROLE} peer map=siths"])

    def _write(self, name: str, lines: list[str], *, append: bool = False) -> None:
        path = self.data / name
        text = "\n".join(lines) + "\n"
        path.write_text((path.read_text() if append else "") + text)

    def server_command(self) -> list[str]:
        """Returns the server's command line, to be run as `user`."""
        return [str(postgres_bin() / "postgres"), "-D", str(self.data)]

    def start(self) -> None:
        """Starts the server in the background and waits until it accepts connections."""
        self._control("-l", str(self.data / "server.log"), "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stops the server that `start` started. In mode `fast` no committed work is lost, even without `fsync`."""
        self._control("-m", mode, "stop")

    def _control(self, *arguments: str) -> None:
        self._run(str(postgres_bin() / "pg_ctl"), "-D", str(self.data), "-w", "-t", str(PATIENCE), *arguments)

    def psql(self, sql: str, *, database: str = "postgres") -> str:
        """Runs `sql` as superuser and returns the unaligned output."""
        return self._run(
            str(postgres_bin() / "psql"), "-h", str(self.socket_dir), "-U", "postgres", "-d", database,
            "-v", "ON_ERROR_STOP=1", "-qtA", "-c", sql,
        ).strip()  # fmt: skip

    def provision(self) -> None:
        """Makes the roles and the database with their privileges. Can be repeated."""
        self.psql(ROLES_SQL + "SELECT pg_reload_conf();")
        if not self.psql(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
            self.psql(f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}")
        self.psql(PRIVILEGES_SQL, database=DATABASE)

    def url(self, role: str, database: str = DATABASE) -> str:
        """Returns the database URL of `role`."""
        return f"postgres://{role}@/{database}?host={self.socket_dir}"


@dataclass(frozen=True)
class PrivateRedis:
    """A Redis in `folder` that listens on the unix socket `socket` and on no port."""

    folder: Path
    socket: Path
    database: int = 0
    mode: str = "700"

    def server_command(self) -> list[str]:
        """Returns the server's command line, for the foreground."""
        return [
            shutil.which("redis-server") or "/usr/bin/redis-server", "--port", "0", "--unixsocket", str(self.socket),
            "--unixsocketperm", self.mode, "--dir", str(self.folder), "--save", "", "--appendonly", "no",
        ]  # fmt: skip

    def url(self) -> str:
        """Returns the URL for redis-py."""
        return f"unix://{self.socket}?db={self.database}"

    def broker_url(self) -> str:
        """Returns the URL for Celery, which uses another scheme."""
        return f"redis+socket://{self.socket}?virtual_host={self.database}"

    def start(self) -> "subprocess.Popen[bytes]":
        """Starts the server as a child and waits until it accepts connections."""
        self.folder.mkdir(parents=True, exist_ok=True)
        child = subprocess.Popen(self.server_command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not self._accepts():
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.02)
        return child

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(self.socket))
            except OSError:
                return False
        return True
