"""The processes of the development environment under supervisord: those of production, and the simulators."""

import hashlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from siths_portal.dev import nginx, users
from siths_portal.dev.home import House, base_env
from siths_portal.dev.launch import HOUSE, PROGRAM
from siths_portal.dev.probes import accepts, api_is_ready, is_ready, postgres_answers, redis_answers
from siths_portal.lib.processes.table import BY_NAME, PIN_SHARES

LOG_BYTES = 10 * 1024 * 1024
LOG_FILES = 3
OUTSIDE = BY_NAME["metrics"].environment
"""The environment of simulators, which have neither database nor token."""


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


def _process(house: House, name: str, *more: str, ready: Callable[[], bool] | None = None, socket: Path | None = None) -> Program:
    """Returns the process of the table with `more` arguments."""
    process = BY_NAME[name]
    return Program(name, [str(house.python), *process.command, *more], ready, env=process.environment, socket=socket)


def _site(house: House, name: str, *more: str) -> Program:
    # The folder of the socket limits access to the starting user and nginx's workers (home.make_socket_folder).
    socket = house.socket(name)
    address = ("--uds", str(socket), "--uds-permissions", "0o666")
    return _process(house, name, *more, *address, ready=lambda: api_is_ready(socket), socket=socket)


def _nginx(house: House, name: str, folder: str, ready: Callable[[], bool], **env: str) -> Program:
    command = ["/usr/sbin/nginx", "-e", "stderr", "-c", str(house.var / folder / "nginx.conf")]
    pid_file = house.var / folder / "nginx.pid"
    return Program(name, command, ready, env=env, code=False, stop_signal="QUIT", pid_file=pid_file)


def _people_programs(house: House) -> list[Program]:
    """Returns the portal, Mina sidor and their reverse proxy."""
    workers = {"portal": ("--workers", str(house.portal_workers))}
    sites = [_site(house, name, *workers.get(name, ())) for name in nginx.SITES]
    configuration = files_fingerprint(house.var / "nginx-people", "*.conf")

    def listens() -> bool:
        return all(accepts(house.port(site)) for site in nginx.SITES)

    return [*sites, _nginx(house, "people-front", "nginx-people", listens, SITHS_CONFIGURATION=configuration)]


def _status_programs(house: House) -> list[Program]:
    """Returns the status service, the OCSP responder with its publisher, and their reverse proxy."""
    ocspd_port, status_port = house.port("ocspd"), house.port("status")
    return [
        _site(house, "status"),
        _process(house, "ocsp-publisher"),
        _process(house, "ocspd", "--bind", f"127.0.0.1:{ocspd_port}", ready=lambda: is_ready(ocspd_port)),
        _nginx(house, "status-front", "nginx-status", lambda: is_ready(status_port)),
    ]


def _worker(house: House, name: str, **env: str) -> Program:
    program = _process(house, name, "-n", f"{name}@{house.id}")
    return replace(program, env=program.env | env)


def application_programs(house: House) -> list[Program]:
    """Returns the services, workers, and simulators without a certificate. Only the pki worker gets the shares of the PIN."""
    manage = [str(house.python), "manage.py"]
    directory_port, eid_app_port, idp_port = house.port("directory"), house.port("eid-app"), house.port("idp")
    metrics_port = house.port("metrics")
    return [
        *_people_programs(house),
        *_status_programs(house),
        _site(house, "api"),
        _site(house, "login"),
        _worker(house, "worker"),
        _worker(house, "suppliers-worker", SUPPLIER_PUSH_FOLDER=str(house.var / "push")),
        _worker(
            house, "pki-worker", WORKER_HEALTH_BIND=f"127.0.0.1:{house.port('pki-worker')}",
            PKCS11_PIN_FILE="", PKI_START_BY_TWO="1",
            PKI_SHARE_FILES=",".join(str(house.var / "secrets" / name) for name in PIN_SHARES),
        ),
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
        _process(house, "metrics", "--bind", f"127.0.0.1:{metrics_port}", ready=lambda: accepts(metrics_port)),
        _process(house, "beat"),
    ]  # fmt: skip


def outer_programs(house: House) -> list[Program]:
    """Returns the programs with certificates of the Function CA: the TLS reverse proxies and the card suppliers."""
    api_port, login_port, push_port = house.port("api"), house.port("login"), house.port("supplier")
    certificates = files_fingerprint(house.var / "tls")
    return [
        _nginx(house, "nginx", "nginx", lambda: accepts(api_port), SITHS_TLS=certificates),
        _nginx(house, "login-front", "nginx-login", lambda: accepts(login_port), SITHS_TLS=certificates),
        Program("supplier", [str(house.python), "manage.py", "supplier_simulator", "--interval", "2"], env=OUTSIDE),
        Program(
            "push-supplier",
            [str(house.python), "manage.py", "supplier_simulator", "--interval", "2", "--push", f"127.0.0.1:{push_port}",
             "--folder", str(house.var / "simulators" / "push-supplier")],
            lambda: accepts(push_port), env=OUTSIDE,
        ),
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
