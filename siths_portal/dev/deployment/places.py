"""Addresses, sockets and files of the processes of the table, in units and in containers. Standard library only."""

from dataclasses import dataclass

from siths_portal.dev import users
from siths_portal.lib.processes.table import DATABASE_URLS, DEFAULT_PORTAL_WORKERS, SECRET_KEY, Process

DATABASE_ROLES = dict(users.DATABASE_ROLES)
FIRST_PORT = 8000
"""The first port in containers and in units, as in the compose file. The offsets are those of the table."""
CLIENT_KEY = "oidc_client_key"
"""The file of secrets with the key at the identity provider."""
PUSH = "push"
"""The folder with the keys for calls to suppliers."""
SOCKET_MODE = "0o666"
"""The mode of a site's socket. Its folder decides who reaches it."""


@dataclass(frozen=True)
class Place:
    """A place where processes run: `secrets`, `var` and `sockets` are folders, `host` is the address on which servers listen.

    `workers` is the number of the portal's processes, as a text of the place's own syntax.
    """

    secrets: str
    var: str
    sockets: str
    host: str
    workers: str = str(DEFAULT_PORTAL_WORKERS)

    def socket(self, process: Process) -> str:
        """Returns the unix socket on which a site listens, in a folder that only the site and its reverse proxy may enter."""
        return f"{self.sockets}/{process.name}/{process.name}.sock"

    def arguments(self, process: Process) -> tuple[str, ...]:
        """Returns the arguments of the interpreter: the process's command and its addresses."""
        if process.face:
            several = ("--workers", self.workers) if process.name == "portal" else ()
            return (*process.command, *several, "--uds", self.socket(process), "--uds-permissions", SOCKET_MODE)
        if process.port is not None and not process.queue:
            return (*process.command, "--bind", f"{self.host}:{port(process)}")
        return process.command

    def share_socket(self, process: Process) -> str:
        """Returns the socket at which the process takes the shares of its PIN."""
        return f"{self.sockets}/{process.name}/share.sock"

    def environment(self, process: Process) -> dict[str, str]:
        """Returns all settings of the process that the common settings do not have. Passwords and keys are names of files."""
        own = {"REDIS_URL": "redis://redis:6379/0"} if process.role else {}
        if process.role:
            url = DATABASE_URLS[process.role]
            own[url] = f"postgres://{DATABASE_ROLES[process.user]}@postgres/siths"
            own[url.removesuffix("_URL") + "_PASSWORD_FILE"] = f"{self.secrets}/{password(process)}"
        for secret in process.secrets:
            own[_setting(secret)] = f"{self.secrets}/{secret}"
        if process.has_token:  # custodians enter its PIN, and no file has it
            own |= {"PKCS11_PIN_FILE": "", "PKI_START_BY_TWO": "1", "PKI_SHARE_SOCKET": self.share_socket(process)}
        if PUSH in process.folders:
            own["SUPPLIER_PUSH_FOLDER"] = f"{self.var}/{PUSH}"
        if process.queue and process.port is not None:
            own["WORKER_HEALTH_BIND"] = f"{self.host}:{port(process)}"
        return process.environment | own


def port(process: Process) -> int:
    """Returns the port of a process that has one, or of its reverse proxy."""
    if process.port is None:
        raise ValueError(f"{process.name} has no port")
    return FIRST_PORT + process.port


def password(process: Process) -> str:
    """Returns the name of the file with the password of the process's database role."""
    return f"database_{DATABASE_ROLES[process.user].removeprefix('siths_')}_password"


def secrets(process: Process) -> tuple[str, ...]:
    """Returns the names of all files of secrets that the process reads."""
    return (*process.secrets, password(process)) if process.role else process.secrets


def _setting(secret: str) -> str:
    if secret.startswith(SECRET_KEY):
        return "SECRET_KEY_FILE"
    return {CLIENT_KEY: "OIDC_CLIENT_KEY_FILE"}[secret]
