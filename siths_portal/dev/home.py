"""The development environment of a clone: id, ports, runtime folder, PostgreSQL's folder. Fixed at the first start."""

import fcntl
import json
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from siths_portal.dev import users
from siths_portal.dev.private_services import (
    API_ROLE,
    APP_ROLE,
    BACKUP_ROLE,
    OWNER_ROLE,
    PKI_ROLE,
    WORKER_ROLE,
    PrivatePostgres,
    PrivateRedis,
)
from siths_portal.dev.progress import HouseError
from siths_portal.lib.processes.table import DEFAULT_PORTAL_WORKERS, PROCESSES

SIMULATORS = {"idp": 10, "eid-app": 11, "supplier": 12, "directory": 13, "access-point": 14, "mail": 15}
OFFSETS = {process.name: process.port for process in PROCESSES if process.port is not None} | SIMULATORS
"""Ports, as offsets from PORT_BASE."""
CLIENT_ID = "siths-portal"
"""The portal's name at the simulated identity provider."""
DEVICE_ROOTS = "device-roots.pem"
"""The file below `var/` with the root of the simulated maker of phones."""
FIRST_BASE = 8000
BASE_STEP = 100
LAST_BASE = 30000  # below the ephemeral range, which starts at 32768
PROXY_USER = users.PROXY_USER
SOCKET_PATH_MAX = 107  # sun_path holds 108 bytes with its closing NUL (unix(7))
FROM_THE_SHELL = ("ENVIRONMENT_NAME", "TEST_PERSONS_FILE")
"""Settings that `make run` takes from the shell, with which the demo is another environment."""


@dataclass(frozen=True)
class House:
    """The development environment of one clone.

    `held` are listening sockets that reserve the ports of a newly chosen base until the processes start. `separated` means that
    processes run as their own system users (`users`).
    """

    root: Path
    id: str
    port_base: int
    runtime: Path
    postgres_home: Path
    held: list[socket.socket] = field(default_factory=list, compare=False, repr=False)
    separated: bool = field(default=False, kw_only=True)

    socket_names = ("portal", "minasidor", "api", "login", "status", "redis")

    @property
    def var(self) -> Path:
        """The folder of everything that the processes write, except PostgreSQL's data if it is elsewhere (`postgres_home`)."""
        return self.root / "var"

    @property
    def python(self) -> Path:
        """The interpreter with the locked packages."""
        return self.root / ".venv" / "bin" / "python"

    @property
    def postgres(self) -> PrivatePostgres:
        """The clone's durable cluster."""
        return PrivatePostgres(
            self.postgres_home / "data", self.runtime / "pg", users=users.DATABASE_ROLES if self.separated else ()
        )

    @property
    def redis(self) -> PrivateRedis:
        """The clone's Redis."""
        return PrivateRedis(self.var / "redis", self.socket("redis"), mode="770" if self.separated else "700")

    @property
    def api_socket(self) -> Path:
        """The socket of the API process, in a folder that only its user and nginx may enter."""
        return self.socket("api")

    @property
    def status_socket(self) -> Path:
        """The socket of the status services, behind their reverse proxy."""
        return self.socket("status")

    def site_socket(self, site: str) -> Path:
        """Returns the socket of the portal or Mina sidor, behind the reverse proxy of the sites."""
        return self.socket(site)

    def socket(self, name: str) -> Path:
        """Returns the socket of one of `socket_names`, in a separate folder if the processes run as different users."""
        if self.separated:
            return self.runtime / name / f"{name}.sock"
        return self.runtime / "redis.sock" if name == "redis" else self.runtime / "api" / f"{name}.sock"

    def sockets(self, name: str) -> list[str]:
        """Returns the sockets of all processes `name` behind its reverse proxy: here one."""
        return [str(self.socket(name))]

    @property
    def ocspd_ports(self) -> list[int]:
        """The ports of all OCSP responders behind the reverse proxy of the status services: here one."""
        return [self.port("ocspd")]

    @property
    def proxy_user(self) -> str:
        """The user of nginx's workers if root starts nginx; else "", and they run as the starting user."""
        return PROXY_USER if os.geteuid() == 0 else ""

    def proxy_temporary(self, name: str) -> Path:
        """Returns the folder for bodies that the reverse proxy `name` buffers. Its workers must be able to enter it."""
        return self.postgres_home.parent / "proxy" / name

    def port(self, name: str) -> int:
        """Returns the port of `name`, a key of OFFSETS."""
        return self.port_base + OFFSETS[name]

    @property
    def portal_workers(self) -> int:
        """How many processes the portal has: PORTAL_WORKERS of the environment. Raises HouseError if it is not a number."""
        wanted = os.environ.get("PORTAL_WORKERS") or str(DEFAULT_PORTAL_WORKERS)
        if not (wanted.isascii() and wanted.isdecimal() and int(wanted)):
            raise HouseError(f"PORTAL_WORKERS must be a number from 1, not {wanted}", 2)
        return int(wanted)

    def release_ports(self) -> None:
        """Releases the reserved ports, just before the processes bind them."""
        while self.held:
            self.held.pop().close()

    def settings(self) -> dict[str, str]:
        """Returns the content of `var/portal.env`: the settings of every process of this clone."""
        return {
            "DEBUG": "1",
            "STATIC_HASHED": "1",
            "PORT_BASE": str(self.port_base),
            "PORTAL_WORKERS": str(self.portal_workers),
            "DATABASE_URL": self.postgres.url(APP_ROLE),
            "DATABASE_OWNER_URL": self.postgres.url(OWNER_ROLE),
            "DATABASE_API_URL": self.postgres.url(API_ROLE),
            "DATABASE_PKI_URL": self.postgres.url(PKI_ROLE),
            "DATABASE_WORKER_URL": self.postgres.url(WORKER_ROLE),
            "DATABASE_BACKUP_URL": self.postgres.url(BACKUP_ROLE),
            "REDIS_URL": self.redis.url(),
            "CELERY_BROKER_URL": self.redis.broker_url(),
            "SECRET_KEY_FILE": str(self.var / "secrets" / "secret_key"),
            "PKCS11_PIN_FILE": str(self.var / "secrets" / "pin"),
            "SOFTHSM2_CONF": str(self.var / "softhsm2.conf"),
            "PROMETHEUS_MULTIPROC_DIR": str(self.var / "metrics"),
            "OIDC_ISSUER": f"http://localhost:{self.port('idp')}",
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_KEY_FILE": str(self.var / "secrets" / "oidc_client_key"),
            "ACCESS_POINT_BACKEND": "billing.delivery.adapters.rest.RestAccessPoint",
            "SUPPLIERS_FILE": str(self.var / "tls" / "clients.yaml"),
            "DEVICE_ATTESTATION_ROOTS": str(self.var / DEVICE_ROOTS),
            "SUPPLIER_PUSH_HOSTS": ",".join([f"localhost:{self.port('supplier')}", *self._sandbox_push_host()]),
            **{name: os.environ[name] for name in FROM_THE_SHELL if os.environ.get(name)},
        }

    def _sandbox_push_host(self) -> list[str]:
        """Returns the host of the supplier under test if `var/sandbox/push.json` says that it takes push. Raises HouseError."""
        asked = self.var / "sandbox" / "push.json"
        if not asked.exists():
            return []
        try:
            url = urlsplit(json.loads(asked.read_text())["url"])
        except (ValueError, TypeError, KeyError, AttributeError):
            raise HouseError(f"{asked} must be a JSON object with url and keys", 2) from None
        if url.scheme != "https" or not url.netloc:
            raise HouseError(f"{asked}: url must be https://host:port", 2)
        return [url.netloc]

    def command_env(self) -> dict[str, str]:
        """Returns the environment of a management command. Of the caller's shell it has only PATH, HOME, TMPDIR and USER."""
        own = {"SITHS_SIMULATORS_USER": users.SIMULATORS} if self.separated else {}
        return base_env() | self.settings() | own


def base_env() -> dict[str, str]:
    """Returns the parts of the caller's environment that a process may see."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR", "USER") if name in os.environ}
    return kept | {"LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def open_house(root: Path, *, environ: dict[str, str] | None = None) -> House:
    """Returns the development environment of the clone in `root`, and creates it at the first start.

    Raises HouseError if `PORT_BASE` differs from that of the first start, or if `root` is a copy of another clone's folder.
    """
    environ = dict(os.environ) if environ is None else environ
    record = root / "var" / "house.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    wanted = environ.get("PORT_BASE", "")
    if wanted and not (wanted.isdigit() and 1024 <= int(wanted) <= 65000):
        raise HouseError(f"PORT_BASE must be a number from 1024 to 65000, not {wanted}", 2)
    held: list[socket.socket] = []
    if record.exists():
        known = json.loads(record.read_text())
        _refuse_copy(root, known)
        if wanted and int(wanted) != known["port_base"]:
            raise HouseError(
                f"This clone's ports start at {known['port_base']} since its first start, and its certificates carry them. "
                f"For PORT_BASE={wanted}: make stop, remove var/, start anew.",
                2,
            )
    else:
        base, held = _choose_base(int(wanted) if wanted else None)
        known = {"id": secrets.token_hex(4), "port_base": base, "postgres_home": ""}
    runtime = _runtime_folder(known["id"], environ)
    home = Path(known["postgres_home"]) if known["postgres_home"] else postgres_home(root, known["id"])
    known |= {"root": str(root), "postgres_home": str(home)}
    partial = record.with_name(f"{record.name}.part")
    partial.write_text(json.dumps(known, indent=1) + "\n")
    partial.replace(record)  # atomic, so an interrupted start changes nothing
    house = House(root, known["id"], known["port_base"], runtime, home, held)
    for path in (house.api_socket, house.postgres.socket_dir / ".s.PGSQL.5432", house.runtime / "supervisor.sock.12345"):
        if len(str(path).encode()) > SOCKET_PATH_MAX:
            raise HouseError(f"The runtime folder's path is too long for a unix socket: {path}", 1)
    return house


def _refuse_copy(root: Path, known: dict[str, str]) -> None:
    origin = Path(known["root"])
    other = origin / "var" / "house.json"
    if origin != root and other.exists() and json.loads(other.read_text()).get("id") == known["id"]:
        raise HouseError(f"This folder is a copy of {origin}. Remove {root / 'var'} to found a house of its own.", 2)


def _ports(base: int) -> list[int]:
    return [base + offset for offset in OFFSETS.values()]


def _hold(port: int) -> socket.socket | None:
    """Returns a listening socket on `port`, or None if a process listens there, on the loopback or on all addresses."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind(("127.0.0.1", port))
        holder.listen()
    except OSError:
        holder.close()
        return None
    return holder


def _hold_all(base: int) -> list[socket.socket]:
    held: list[socket.socket] = []
    for port in _ports(base):
        holder = _hold(port)
        if holder is None:
            for other in held:
                other.close()
            return []
        held.append(holder)
    return held


def taken_ports(base: int) -> list[int]:
    """Returns the ports of `base` that a process listens on now."""
    taken = []
    for port in _ports(base):
        holder = _hold(port)
        if holder is None:
            taken.append(port)
        else:
            holder.close()
    return taken


def _choose_base(wanted: int | None) -> tuple[int, list[socket.socket]]:
    if wanted is not None:
        held = _hold_all(wanted)
        if not held:
            raise HouseError(f"PORT_BASE={wanted}: port {', '.join(map(str, taken_ports(wanted)))} is taken by another process")
        return wanted, held
    for base in range(FIRST_BASE, LAST_BASE, BASE_STEP):
        if held := _hold_all(base):
            return base, held
    raise HouseError("No free range of ports was found; choose one with PORT_BASE=…")


def _runtime_folder(house_id: str, environ: dict[str, str]) -> Path:
    """Makes and returns a folder with a short path for sockets, which only the starting user may write to.

    A restart of the machine deletes the folder; the next start makes it again.
    """
    if os.geteuid() == 0:
        folder = Path("/run") / f"siths-{house_id}"
        mode = 0o711  # so that the postgres user can enter its own folder below
    elif environ.get("XDG_RUNTIME_DIR") and os.access(environ["XDG_RUNTIME_DIR"], os.W_OK):
        folder, mode = Path(environ["XDG_RUNTIME_DIR"]) / f"siths-{house_id}", 0o700
    else:
        folder, mode = Path(tempfile.gettempdir()) / f"siths-{os.geteuid()}-{house_id}", 0o700
    folder.mkdir(mode=mode, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.geteuid():
        raise HouseError(f"{folder} belongs to somebody else")
    folder.chmod(mode)
    make_socket_folder(folder / "api")
    return folder


def make_socket_folder(folder: Path) -> None:
    """Makes the folder of the sockets behind nginx. Only the starting user and, under root, nginx's workers may enter it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, group=PROXY_USER)
        folder.chmod(0o710)


def postgres_home(root: Path, house_id: str) -> Path:
    """Returns a folder that the `postgres` user can own: in the clone if that user may enter it, else under /var/lib.

    PostgreSQL refuses to run as root. If root starts it, it runs as `postgres`, which may not enter a folder such as /root.
    """
    inside = root / "var" / "postgres"
    if os.geteuid() != 0 or _may_enter("postgres", root / "var"):
        return inside
    return Path("/var/lib/siths-portal") / house_id / "postgres"


def _may_enter(user: str, folder: Path) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError as error:
        raise HouseError("The user postgres is missing: install postgresql") from error
    return subprocess.run(["runuser", "-u", user, "--", "test", "-x", str(folder)], cwd="/", check=False).returncode == 0


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Makes a second make target wait until this one has installed and started everything."""
    (root / "var").mkdir(exist_ok=True)
    with (root / "var" / "house.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
