"""The processes of the portal, as data. Standard library only, since the settings module and `siths_portal.dev` read it.

`make run`, the connection counts and `deploy/` are made from it; tests compare the compose file and `docs/operations.md` with it.
PostgreSQL, Redis, the reverse proxies and the simulators are not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_PORTAL_WORKERS, MOST_PORTAL_WORKERS = 2, 32
"""Default and upper limit of the setting PORTAL_WORKERS, the number of the portal's processes."""

DATABASE_URLS: Mapping[str, str] = {
    "portal": "DATABASE_URL",
    "api": "DATABASE_API_URL",
    "pki": "DATABASE_PKI_URL",
    "worker": "DATABASE_WORKER_URL",
}
"""The database roles of processes (ADR 0311), each with the environment variable of its URL."""
OWNER_URL = "DATABASE_OWNER_URL"
NO_DATABASE = "postgres://nobody@nowhere/none"
"""The URL of a process without a role. A process without any URL would use the default of the settings."""

PIN = "pin"
"""The file of secrets with the token's PIN, where there is one: for operators' commands, and for the compose file's worker."""
PIN_SHARES = ("pin_share_a", "pin_share_b")
"""The files of secrets with both shares of the PIN, which `make run` gives the worker: nobody enters them (rules/pki 7.3)."""
SECRET_KEY = "secret_key"  # noqa: S105  (a name)
"""How the names of files with Django's secret key begin. Each system user has its own."""
READY, ACCEPTS = "ready", "accepts"


@dataclass(frozen=True)
class Process:
    """A process.

    `command` is what follows the interpreter, without what depends on where the process runs: addresses, sockets, names.
    `role` is a key of DATABASE_URLS, "" without a database. `user` is its system user in `make run`. `secrets` are the files of
    secrets that it reads, `folders` those of `SITHS_VAR_DIR` that it writes to or reads, besides metrics. `port` is the offset of
    its address from PORT_BASE; that of a site is its reverse proxy's. `health` is READY if it answers `/healthz/ready`, ACCEPTS
    if it can only be asked for a connection, "" if it serves nothing. `counts` means that it writes metrics that alarms need.
    `has_token` means that it may use the token's keys.
    `threads` are those that serve requests, `connections` the most to PostgreSQL at the same time. `cpu_weight` is the share of a
    busy machine, as systemd's CPUWeight: pages for people come before OCSP, and OCSP before suppliers and jobs. A reverse
    proxy has the weight of the process behind it.
    """

    name: str
    command: tuple[str, ...]
    role: str
    user: str
    secrets: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    face: str = ""
    queue: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    health: str = ""
    counts: bool = False
    has_token: bool = False
    threads: int = 0
    connections: int = 0
    cpu_weight: int = 100

    @property
    def environment(self) -> dict[str, str]:
        """The settings that differ between processes, except files and addresses.

        All URLs of other roles are empty, so that the process cannot connect as them.
        """
        own = DATABASE_URLS.get(self.role)
        taken = {name: "" for name in (*DATABASE_URLS.values(), OWNER_URL) if name != own}
        database = {"SITHS_DATABASE_ROLE": self.role} if own else {DATABASE_URLS["portal"]: NO_DATABASE}
        face = {"SITHS_FACE": self.face} if self.face else {}
        token = {} if self.has_token else {"PKCS11_PIN_FILE": ""}
        return taken | database | face | token | dict(self.settings)


def _site(threads: int) -> tuple[str, ...]:
    options = ("--interface", "wsgi", "--no-ws", "--blocking-threads", str(threads), "--blocking-threads-idle-timeout", "600")
    return ("-m", "granian", *options, "--log-level", "warning", "siths_portal.wsgi:application")


_CELERY = ("-m", "celery", "-A", "siths_portal.celery")


def _worker(queue: str, *pool: str) -> tuple[str, ...]:
    return (*_CELERY, "worker", "-Q", queue, *pool, "--without-gossip", "--without-mingle", "--loglevel", "INFO")


PROCESSES = (
    Process(
        "portal", _site(8), role="portal", user="siths-portal", secrets=("secret_key", "oidc_client_key"),
        folders=("journal/billing",), face="portal", port=0, health=READY, threads=8, connections=8, cpu_weight=800,
        settings={"TRUSTED_PROXIES": "1"},
    ),
    Process(
        "minasidor", _site(8), role="portal", user="siths-portal", secrets=("secret_key", "oidc_client_key"),
        face="minasidor", port=1, health=READY, threads=8, connections=8, cpu_weight=800, settings={"TRUSTED_PROXIES": "1"},
    ),
    Process(
        "api", _site(16), role="api", user="siths-api", secrets=("secret_key_api",), face="api", port=443,
        health=READY, threads=16, connections=16, settings={"MTLS_CERTIFICATE_HEADER": "X-SSL-Client-Cert"},
    ),
    Process(
        "login", _site(4), role="portal", user="siths-portal", secrets=("secret_key",), face="login", port=444,
        health=READY, threads=4, connections=4, cpu_weight=800, settings={"MTLS_CERTIFICATE_HEADER": "X-SSL-Client-Cert"},
    ),
    Process(
        "status", _site(8), role="worker", user="siths-worker", secrets=("secret_key_worker",), folders=("status",),
        face="status", port=2, health=READY, counts=True, threads=8, connections=8,
    ),
    Process(
        "ocspd", ("manage.py", "pki_ocspd", "--workers", "2"), role="", user="siths-ocspd", folders=("ocsp",), port=3,
        health=READY, counts=True, cpu_weight=400,
    ),
    Process(
        "ocsp-publisher", ("manage.py", "pki_ocsp_publish"), role="worker", user="siths-worker", secrets=("secret_key_worker",),
        folders=("ocsp",), counts=True, connections=1,
    ),
    Process(
        "worker", _worker("default", "-c", "2"), role="worker", user="siths-worker", secrets=("secret_key_worker",),
        folders=("audit", "journal/billing"), queue="default", counts=True, connections=8,
    ),
    Process(
        "pki-worker", _worker("pki", "-P", "threads", "-c", "4"), role="pki", user="siths-pki",
        secrets=("secret_key_pki",), folders=("audit", "ceremony", "journal/pki", "ocsp", "status"), queue="pki",
        port=91, health=READY, counts=True, has_token=True, connections=8,
    ),
    Process(
        "suppliers-worker", _worker("suppliers", "-P", "threads", "-c", "2"), role="worker", user="siths-suppliers",
        secrets=("secret_key_suppliers",), folders=("push",), queue="suppliers", connections=4,
    ),
    Process(
        "beat", (*_CELERY, "beat", "--loglevel", "WARNING"), role="worker", user="siths-worker", secrets=("secret_key_worker",),
        connections=1,
    ),
    Process("metrics", ("manage.py", "metrics"), role="", user="siths-ocspd", port=90, health=ACCEPTS),
)  # fmt: skip

BY_NAME: Mapping[str, Process] = {process.name: process for process in PROCESSES}
