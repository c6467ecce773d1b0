"""The processes of the development environment under supervisord: those of production, and the simulators."""

import hashlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from siths_portal.dev import nginx, users
from siths_portal.dev.home import House, base_env
from siths_portal.dev.launch import HOUSE, PROGRAM
from siths_portal.dev.probes import accepts, api_is_ready, is_ready, postgres_answers, redis_answers

LOG_BYTES = 10 * 1024 * 1024
LOG_FILES = 3
_URLS = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_API_URL", "DATABASE_PKI_URL", "DATABASE_WORKER_URL")
# Threads of one process, as in siths_portal/lib/database/connection_counts.py, which applications read.
THREADS = {"portal": 8, "minasidor": 8, "status": 8, "api": 16}
NO_DATABASE = "postgres://nobody@nowhere/none"


def _connects(role: str, url: str) -> dict[str, str]:
    """Returns the environment of a process that connects as `role`. It has no URLs of other roles."""
    return {name: "" for name in _URLS if name != url} | {"SITHS_DATABASE_ROLE": role}


# Only the process that signs gets the token's PIN.
_NO_TOKEN = {"PKCS11_PIN_FILE": ""}
PORTAL = _connects("portal", "DATABASE_URL") | _NO_TOKEN
API = _connects("api", "DATABASE_API_URL") | _NO_TOKEN
PKI = _connects("pki", "DATABASE_PKI_URL")
WORKER = _connects("worker", "DATABASE_WORKER_URL") | _NO_TOKEN
OUTSIDE = dict.fromkeys(_URLS, "") | {"DATABASE_URL": NO_DATABASE} | _NO_TOKEN


@dataclass(frozen=True)
class Program:
    """A supervised process. `ready` returns whether it can be used; `code` is true if it runs the portal's code."""

    name: str
    command: list[str]
    ready: Callable[[], bool] | None = None
    env: dict[str, str] = field(default_factory=dict)
    user: str = ""
    directory: Path | None = None
    socket: Path | None = None
    pid_file: Path | None = None
    code: bool = True
    stop_signal: str = "TERM"
    stop_seconds: int = 30
    priority: int = 100  # lower ones start first and end last


def data_services(house: House) -> list[Program]:
    """Returns PostgreSQL and Redis, which all other programs need."""
    postgres, redis = house.postgres, house.redis
    return [
        Program(
            "postgres", postgres.server_command(), lambda: postgres_answers(postgres), user=postgres.user,
            directory=Path("/"), code=False, stop_signal="INT", stop_seconds=60, priority=10,
        ),
        Program(
            "redis", [*redis.server_command(), "--pidfile", str(redis.folder / "redis.pid")],
            lambda: redis_answers(redis.socket), code=False, priority=10,
        ),
    ]  # fmt: skip


def _behind_nginx(house: House, site: str, socket: Path, *, workers: int = 1) -> list[str]:
    # The folder of the socket limits access to the starting user and nginx's workers (home.make_socket_folder).
    return [
        str(house.python), "-m", "granian", "--interface", "wsgi", "--no-ws", "--workers", str(workers),
        "--blocking-threads", str(THREADS[site]), "--blocking-threads-idle-timeout", "600",
        "--log-level", "warning", "--uds", str(socket), "--uds-permissions", "0o666", "siths_portal.wsgi:application",
    ]  # fmt: skip


def _nginx(house: House, name: str, folder: str, ready: Callable[[], bool], **env: str) -> Program:
    command = ["/usr/sbin/nginx", "-e", "stderr", "-c", str(house.var / folder / "nginx.conf")]
    pid_file = house.var / folder / "nginx.pid"
    return Program(name, command, ready, env=env, code=False, stop_signal="QUIT", pid_file=pid_file)


def _site(house: House, name: str) -> Program:
    socket = house.site_socket(name)
    env = {"SITHS_FACE": name, "TRUSTED_PROXIES": "1"} | PORTAL
    command = _behind_nginx(house, name, socket, workers=house.portal_workers if name == "portal" else 1)
    return Program(name, command, lambda: api_is_ready(socket), env=env, socket=socket)


def _people_programs(house: House) -> list[Program]:
    """Returns the portal, Mina sidor and their reverse proxy."""
    sites = [_site(house, name) for name in nginx.SITES]
    configuration = files_fingerprint(house.var / "nginx-people", "*.conf")

    def listens() -> bool:
        return all(accepts(house.port(site)) for site in nginx.SITES)

    return [*sites, _nginx(house, "people-front", "nginx-people", listens, SITHS_CONFIGURATION=configuration)]


def _status_programs(house: House) -> list[Program]:
    """Returns the status service, the OCSP responder with its publisher, and their reverse proxy."""
    ocspd_port, status_port = house.port("ocspd"), house.port("status")
    manage = [str(house.python), "manage.py"]
    return [
        Program(
            "status", _behind_nginx(house, "status", house.status_socket),
            lambda: api_is_ready(house.status_socket), socket=house.status_socket, env={"SITHS_FACE": "status"} | WORKER,
        ),
        Program("ocsp-publisher", [*manage, "pki_ocsp_publish"], env=WORKER),
        Program(
            "ocspd", [*manage, "pki_ocspd", "--bind", f"127.0.0.1:{ocspd_port}", "--workers", "2"],
            lambda: is_ready(ocspd_port), env=OUTSIDE,
        ),
        _nginx(house, "status-front", "nginx-status", lambda: is_ready(status_port)),
    ]  # fmt: skip


def _celery(house: House, *arguments: str) -> list[str]:
    return [str(house.python), "-m", "celery", "-A", "siths_portal.celery", *arguments]


def _worker(house: House, name: str, queue: str, *pool: str) -> list[str]:
    quiet = ("--without-gossip", "--without-mingle", "--loglevel", "INFO")
    return _celery(house, "worker", "-Q", queue, "-n", f"{name}@{house.id}", *pool, *quiet)


def application_programs(house: House) -> list[Program]:
    """Returns the services, workers, and simulators without a certificate. Only the pki worker gets the token's PIN."""
    manage = [str(house.python), "manage.py"]
    directory_port, eid_app_port, idp_port = house.port("directory"), house.port("eid-app"), house.port("idp")
    metrics_port = house.port("metrics")
    pki_worker = PKI | {"WORKER_HEALTH_BIND": f"127.0.0.1:{house.port('pki-worker')}"}
    return [
        *_people_programs(house),
        *_status_programs(house),
        Program(
            "api", _behind_nginx(house, "api", house.api_socket),
            lambda: api_is_ready(house.api_socket), socket=house.api_socket,
            env={"SITHS_FACE": "api", "MTLS_CERTIFICATE_HEADER": nginx.CERTIFICATE_HEADER} | API,
        ),
        Program("worker", _worker(house, "worker", "default", "-c", "2"), env=WORKER),
        Program("pki-worker", _worker(house, "pki-worker", "pki", "-P", "threads", "-c", "4"), env=pki_worker),
        Program(
            "directory",
            [*manage, "directory_simulator", "--bind", f"127.0.0.1:{directory_port}",
             "--data", str(house.var / "simulators" / "directory" / "people.json")],
            lambda: accepts(directory_port), env=OUTSIDE,
        ),
        Program(
            "access-point",
            [*manage, "access_point_simulator", "--bind", f"127.0.0.1:{house.port('access-point')}",
             "--folder", str(house.var / "simulators" / "access-point"), "--delay", "0"],
            lambda: accepts(house.port("access-point")), env=OUTSIDE,
        ),
        Program(
            "mail",
            [*manage, "mail_simulator", "--bind", f"127.0.0.1:{house.port('mail')}",
             "--folder", str(house.var / "simulators" / "mail")],
            lambda: accepts(house.port("mail")), env=OUTSIDE,
        ),
        Program(
            "idp",
            [*manage, "idp_simulator", "--bind", f"127.0.0.1:{idp_port}", "--issuer", house.settings()["OIDC_ISSUER"],
             "--data", str(house.var / "simulators" / "idp"), "--cards", str(house.var / "simulators" / "cards"),
             "--trust", str(house.var / "status" / "aia")],
            lambda: accepts(idp_port), env=OUTSIDE,
        ),
        Program(
            "eid-app",
            [*manage, "eid_app_simulator", "--bind", f"127.0.0.1:{eid_app_port}",
             "--cards", str(house.var / "simulators" / "cards")],
            lambda: accepts(eid_app_port), env=OUTSIDE,
        ),
        Program(
            "metrics", [*manage, "metrics", "--bind", f"127.0.0.1:{metrics_port}"], lambda: accepts(metrics_port), env=OUTSIDE
        ),
        Program("beat", _celery(house, "beat", "--loglevel", "WARNING"), env=WORKER),
    ]  # fmt: skip


def outer_programs(house: House) -> list[Program]:
    """Returns the programs with certificates of the Function CA: the TLS reverse proxy, and the card supplier as its client."""
    api_port = house.port("api")
    return [
        _nginx(house, "nginx", "nginx", lambda: accepts(api_port), SITHS_TLS=files_fingerprint(house.var / "tls")),
        Program("supplier", [str(house.python), "manage.py", "supplier_simulator", "--interval", "2"], env=OUTSIDE),
    ]  # fmt: skip


def all_programs(house: House) -> list[Program]:
    """Returns every program."""
    return [*data_services(house), *application_programs(house), *outer_programs(house)]


def _quote(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def _environment(values: dict[str, str]) -> str:
    return ",".join(f"{name}={_quote(value)}" for name, value in sorted(values.items()))


def _section(house: House, program: Program, fingerprint: str) -> str:
    user = users.OF_PROGRAM.get(program.name, program.user) if house.separated else program.user
    values = base_env() | house.settings() | program.env | {HOUSE: house.id, PROGRAM: program.name}
    if house.separated:
        values |= users.environment(house, user)
        values.pop("TMPDIR", None)  # the starting user's
    if program.code:
        values["SITHS_CODE"] = fingerprint
    launch = [str(house.python), "-m", "siths_portal.dev.launch"] if program.code or program.pid_file else []
    if program.socket:
        launch += ["--socket", str(program.socket)]
    if program.pid_file:
        launch += ["--pid-file", str(program.pid_file)]
    command = " ".join(shlex.quote(word) for word in [*launch, *program.command]).replace("%", "%%")
    lines = [
        f"[program:{program.name}]",
        f"command={command}",
        f"directory={str(program.directory or house.root).replace('%', '%%')}",
        f"environment={_environment(values)}",
        f"priority={program.priority}",
        "autostart=false",
        "autorestart=true",
        "startsecs=1",
        "startretries=5",
        f"stopsignal={program.stop_signal}",
        f"stopwaitsecs={program.stop_seconds}",
        "killasgroup=true",
        f"stdout_logfile=var/log/{program.name}.log",  # relative: supervisord expands a percent sign here twice
        "redirect_stderr=true",
        f"stdout_logfile_maxbytes={LOG_BYTES}",
        f"stdout_logfile_backups={LOG_FILES}",
    ]
    if user and user != "root":
        lines.append(f"user={user}")
    if house.separated:
        lines.append("umask=002")  # users share files in folders of a group
    return "\n".join(lines)


def configuration(house: House, programs: list[Program]) -> str:
    """Returns supervisord's configuration. A change of the portal's code changes its programs' sections, so they restart."""
    folder = str(house.var / "supervisor").replace("%", "%%")
    fingerprint = code_fingerprint(house.root)
    head = f"""\
[unix_http_server]
file={house.runtime}/supervisor.sock
chmod=0700

[supervisord]
logfile={folder}/supervisord.log
logfile_maxbytes={LOG_BYTES}
logfile_backups={LOG_FILES}
pidfile={folder}/supervisord.pid
childlogdir={folder}
directory={str(house.root).replace("%", "%%")}
umask=022
minfds=4096

[supervisorctl]
serverurl=unix://{house.runtime}/supervisor.sock

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    return "\n\n".join([head, *(_section(house, program, fingerprint) for program in programs)]) + "\n"


def files_fingerprint(folder: Path, pattern: str = "*") -> str:
    """Returns a hash of the files in `folder`, to restart nginx, which reads certificates and settings only at its start."""
    files = sorted(path for path in folder.glob(pattern) if path.is_file())
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]


def code_fingerprint(root: Path) -> str:
    """Returns a hash of the names, sizes and times of all code, templates and lock files."""
    digest = hashlib.sha256()
    folders = ("siths_portal", "authn", "pki", "issuance", "billing", "templates", "static")
    found = (path for folder in folders for path in (root / folder).rglob("*") if path.suffix not in ("", ".pyc"))
    files = [path for path in found if path.parent.name != "__pycache__"]  # its files change while processes start
    for path in sorted([*files, root / "uv.lock"]):
        status = path.stat()
        digest.update(f"{path.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
