"""systemd units of the processes of the table, for machines without containers (docs/operations.md, systemd)."""

from siths_portal.dev import users
from siths_portal.dev.deployment.places import Place, secrets
from siths_portal.lib.processes.table import DEFAULT_PORTAL_WORKERS, OWNER_URL, PROCESSES, Process

CODE, VAR, ETC = "/srv/siths", "/var/lib/siths", "/etc/siths"
PYTHON = f"{CODE}/.venv/bin/python"
# %d is the folder of a unit's credentials, which no other unit can read.
PLACE = Place(secrets="%d", var=VAR, sockets="/run/siths", host="127.0.0.1", workers="${PORTAL_WORKERS}")
CUSTODIANS = "siths-custodians"
"""The group whose members reach the socket for shares of the PIN."""
MIGRATE = "siths-migrate.service"
MIGRATE_SECRETS = ("secret_key_worker", "database_owner_password")

METRICS = "metrics"
"""The folder in which all processes of a machine count."""
COMMON = {
    "PORTAL_WORKERS": str(DEFAULT_PORTAL_WORKERS),
    "PROMETHEUS_MULTIPROC_DIR": f"{VAR}/{METRICS}",
    "SITHS_VAR_DIR": VAR,
    "XDG_CACHE_HOME": "/tmp",
}

NETWORK = ("After=network-online.target", "Wants=network-online.target")
HARDENING = (
    "CapabilityBoundingSet=",
    "LimitCORE=0",
    "LockPersonality=yes",
    "NoNewPrivileges=yes",
    "PrivateTmp=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectSystem=strict",
    "RemoveIPC=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
)
"""Limits of every unit: it writes to its own folders only and gains no right."""


def files() -> dict[str, str]:
    """Returns the text of each file below `deploy/systemd`, by its name."""
    units = {f"{unit(process)}": _service(process) for process in PROCESSES}
    return units | {
        "siths.target": _target(),
        MIGRATE: _migrate(),
        "siths.sysusers.conf": _users(),
        "siths.tmpfiles.conf": _folders(),
    }


def unit(process: Process) -> str:
    """Returns the name of the process's unit."""
    return f"siths-{process.name}.service"


def _quoted(value: str) -> str:
    return f'"{value}"' if not value or " " in value else value


def _section(name: str, *lines: str) -> str:
    return "\n".join([f"[{name}]", *lines])


def _environment(values: dict[str, str]) -> list[str]:
    return [f"Environment={_quoted(f'{name}={value}')}" for name, value in sorted(values.items())]


def _credentials(names: tuple[str, ...]) -> list[str]:
    return [f"LoadCredential={name}:{ETC}/secrets/{name}" for name in names]


def _text(*sections: str) -> str:
    head = "# Made from the table of processes by python -m siths_portal.dev.deployment. Change it with a drop-in."
    return "\n\n".join([head, *sections]) + "\n"


def _service(process: Process) -> str:
    writes = [f"{VAR}/{folder}" for folder in (*process.folders, METRICS)]
    environment = COMMON | PLACE.environment(process)
    before = []
    if process.face:
        socket = PLACE.socket(process)
        writes.append(socket.rpartition("/")[0])
        before = [f"ExecStartPre=/usr/bin/rm -f {socket}"]  # of a process that was killed
    if process.has_token:
        writes.append(PLACE.share_socket(process).rpartition("/")[0])
    # An HSM may be a device of the machine, and the metrics of the dead are those whose process is not seen any more.
    devices = [] if process.has_token else ["PrivateDevices=yes"]
    others = [] if process.name == "metrics" else ["ProtectProc=invisible"]
    return _text(
        _section(
            "Unit",
            f"Description=SITHS eID portal: {process.name}",
            "Documentation=file:/srv/siths/docs/operations.md",
            *NETWORK,
            *([f"After={MIGRATE}"] if process.role else []),
            "PartOf=siths.target",
            "StartLimitIntervalSec=0",
        ),
        _section(
            "Service",
            "Type=exec",
            f"User={process.user}",
            f"Group={users.GROUP}",
            *_supplementary(process.user),
            "UMask=0002",
            f"WorkingDirectory={CODE}",
            *_environment(environment),
            f"EnvironmentFile={ETC}/portal.env",
            *_credentials(secrets(process)),
            *before,
            f"ExecStart={' '.join([PYTHON, *PLACE.arguments(process)])}",
            "Restart=always",
            "RestartSec=1",
            "TimeoutStopSec=30",
            "KillMode=mixed",
            f"CPUWeight={process.cpu_weight}",
            *HARDENING,
            *devices,
            *others,
            f"ReadWritePaths={' '.join(writes)}",
        ),
        _section("Install", "WantedBy=siths.target"),
    )


def _supplementary(user: str) -> list[str]:
    groups = users.USERS[user]
    return [f"SupplementaryGroups={' '.join(groups)}"] if groups else []


def _target() -> str:
    wants = " ".join(unit(process) for process in PROCESSES)
    return _text(
        _section("Unit", "Description=SITHS eID portal: all processes", f"Wants={wants}"),
        _section("Install", "WantedBy=multi-user.target"),
    )


def _migrate() -> str:
    """The unit that brings the database up to the release. It is started by hand, before the others of a new release."""
    nobody = next(process for process in PROCESSES if not process.role)
    environment = COMMON | nobody.environment
    environment |= {
        OWNER_URL: "postgres://siths_owner@postgres/siths",
        "DATABASE_OWNER_PASSWORD_FILE": "%d/database_owner_password",
        "SECRET_KEY_FILE": "%d/secret_key_worker",
    }
    return _text(
        _section(
            "Unit", "Description=SITHS eID portal: migrations", "After=network-online.target", "Wants=network-online.target"
        ),
        _section(
            "Service",
            "Type=oneshot",
            f"User={users.WORKER}",
            f"Group={users.GROUP}",
            f"WorkingDirectory={CODE}",
            *_environment(environment),
            f"EnvironmentFile={ETC}/portal.env",
            *_credentials(MIGRATE_SECRETS),
            f"ExecStart={PYTHON} manage.py migrate --no-input",
            *HARDENING,
            "PrivateDevices=yes",
            "ProtectProc=invisible",
        ),
    )


def _users() -> str:
    """The users and groups, as sysusers.d(5) reads them. Users without other groups have only the common one."""
    used = sorted({process.user for process in PROCESSES})
    lines = [f"g {group} -" for group in (*users.GROUPS, CUSTODIANS)]
    lines += [f"u {user} -:{users.GROUP} - /nonexistent /usr/sbin/nologin" for user in used]
    lines += [f"m {user} {group}" for user in used for group in users.USERS[user]]
    return _text("\n".join(lines))


def _folders() -> str:
    """The folders of the processes, as tmpfiles.d(5) reads them: owners and modes are those of `make run`."""
    needed = {folder for process in PROCESSES for folder in process.folders} | {METRICS}
    lines = [f"d {VAR} 0755 root root -", f"d {VAR}/journal 0711 root {users.GROUP} -", "d /run/siths 0755 root root -"]
    for place in users.PLACES:
        if place.path in needed:
            lines.append(f"d {VAR}/{place.path} {place.folder:04o} {place.user} {place.group} -")
    for process in PROCESSES:
        if process.face:
            lines.append(f"d /run/siths/{process.name} 2710 {process.user} {users.PROXY_USER} -")
        if process.has_token:
            lines.append(f"d /run/siths/{process.name} 2710 {process.user} {CUSTODIANS} -")
    return _text("\n".join(lines))
