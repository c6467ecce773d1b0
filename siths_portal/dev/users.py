"""System users of the processes of `make run`, and the files that each may read and write (ADR 0311). Standard library only.

They are made once on a machine and shared by its clones. If they cannot be made or cannot read the clone, all processes run as
the starting user, and `separate` prints that roles are separated in the database only.
"""

import dataclasses
import grp
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from siths_portal.dev.private_services import API_ROLE, APP_ROLE, PKI_ROLE, WORKER_ROLE
from siths_portal.lib.processes.table import PIN_SHARES, PROCESSES, SECRET_KEY

if TYPE_CHECKING:
    from siths_portal.dev.home import House

PROXY_USER = "www-data"  # Debian's user for nginx's workers
GROUP = "siths"
WORKERS = "siths-workers"
STATUS = "siths-status"
QUEUE = "siths-queue"
PORTAL, API, PKI, WORKER = "siths-portal", "siths-api", "siths-pki", "siths-worker"
SUPPLIERS = "siths-suppliers"
OCSPD, SIMULATORS, REDIS = "siths-ocspd", "siths-simulators", "siths-redis"

GROUPS = (GROUP, WORKERS, STATUS, QUEUE)
USERS: dict[str, tuple[str, ...]] = {
    PORTAL: (QUEUE,), API: (QUEUE,), PKI: (WORKERS, STATUS, QUEUE), WORKER: (WORKERS, STATUS, QUEUE), OCSPD: (STATUS,),
    SUPPLIERS: (WORKERS, QUEUE), SIMULATORS: (), REDIS: (QUEUE,),
}  # fmt: skip
"""Each user's groups in addition to its primary group GROUP."""

OF_PROGRAM = {process.name: process.user for process in PROCESSES} | {
    "redis": REDIS,
    **dict.fromkeys(("access-point", "directory", "mail", "idp", "eid-app", "supplier", "push-supplier"), SIMULATORS),
    **dict.fromkeys(("people-front", "status-front", "login-front", "nginx"), PROXY_USER),
}
DATABASE_ROLES = ((PORTAL, APP_ROLE), (API, API_ROLE), (PKI, PKI_ROLE), (WORKER, WORKER_ROLE), (SUPPLIERS, WORKER_ROLE))
"""The only database role as which a user may connect."""
READERS = {secret: process.user for process in PROCESSES for secret in process.secrets} | dict.fromkeys(PIN_SHARES, PKI)
"""The only user that reads each file in `var/secrets/`. Files that are not here are root's."""
SECRET_KEYS = {user: secret for secret, user in READERS.items() if secret.startswith(SECRET_KEY)}
"""The file with each user's own Django secret key. Other users have none."""


class Place(NamedTuple):
    """A file or folder below `var/`, with its owner, its group and its modes as a folder and as a file."""

    path: str
    user: str
    group: str
    folder: int
    file: int
    whole: bool = True  # includes the folder's content


PLACES = (
    Place("portal.env", "root", GROUP, 0, 0o640),
    Place("device-roots.pem", "root", GROUP, 0, 0o640),
    Place("softhsm2.conf", PKI, GROUP, 0, 0o600),
    Place("secrets", "root", GROUP, 0o710, 0o600, whole=False),
    *(Place(f"secrets/{secret}", user, GROUP, 0, 0o600) for secret, user in READERS.items()),
    Place("tokens", PKI, GROUP, 0o700, 0o600),
    Place("push", SUPPLIERS, GROUP, 0o700, 0o600),
    Place("ceremony", PKI, GROUP, 0o2750, 0o640),
    Place("audit", PKI, WORKERS, 0o2770, 0o660),
    Place("journal", "root", GROUP, 0o711, 0o600, whole=False),
    Place("journal/pki", PKI, GROUP, 0o700, 0o600),
    # The portal numbers credit notes and the worker invoices: each may add files, and only remove its own.
    Place("journal/billing", PORTAL, GROUP, 0o3770, 0o600),
    Place("status", PKI, WORKERS, 0o2775, 0o664),
    Place("ocsp", WORKER, STATUS, 0o2770, 0o660),
    Place("metrics", "root", GROUP, 0o2770, 0o664),
    Place("simulators", SIMULATORS, GROUP, 0o700, 0o600),
    Place("tls", PROXY_USER, PROXY_USER, 0o700, 0o600),
    Place("static", "root", GROUP, 0o2750, 0o640),
    Place("redis", REDIS, GROUP, 0o700, 0o600),
    *(Place(name, PROXY_USER, PROXY_USER, 0o755, 0o644) for name in ("nginx", "nginx-login", "nginx-people", "nginx-status")),
)


def separate(house: "House") -> "House":
    """Returns the environment with a system user for each group of processes. If it cannot, prints why and changes nothing."""
    if why := _why_shared(house.root):
        print(f"All processes run as one user, so roles are separated in the database only: {why}.")
        return house
    return dataclasses.replace(house, separated=True)


def _why_shared(root: Path) -> str:
    """Makes the users. Returns why the processes of the clone in `root` cannot run as these users, or ""."""
    if os.geteuid() != 0:
        return "only root can start processes as other users"
    if why := make():
        return why
    probe = [str(root / ".venv" / "bin" / "python"), "-B", "-c", "import django, os, siths_portal; os.chdir('var')"]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root)}
    done = subprocess.run(["runuser", "-u", API, "--", *probe], cwd=root, env=env, capture_output=True, check=False)
    return f"user {API} cannot read {root}" if done.returncode else ""


def make() -> str:
    """Makes missing groups and users. Returns why they cannot be made, or ""."""
    for name in ("groupadd", "useradd", "usermod", "runuser"):
        if not shutil.which(name):
            return f"{name} is not installed"
    options = ["--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", "--gid", GROUP]
    commands = [["groupadd", "--system", group] for group in GROUPS if group not in {each.gr_name for each in grp.getgrall()}]
    commands += [["useradd", *options, user] for user in USERS if not _exists(user)]
    for command in commands:
        if why := _run(command):
            return why
    for user, groups in USERS.items():
        present = {group.gr_name for group in grp.getgrall() if user in group.gr_mem}
        if present != set(groups) and (why := _run(["usermod", "--groups", ",".join(groups), user])):
            return why
    return "" if _exists(PROXY_USER) else f"user {PROXY_USER} is missing"


def _run(command: list[str]) -> str:
    """Runs the command. Returns its error output if it fails, or ""."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return f"{command[0]} {command[-1]}: {done.stderr.strip()}" if done.returncode else ""


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def environment(house: "House", user: str) -> dict[str, str]:
    """Returns the variables that differ for a process that runs as `user`."""
    key = str(house.var / "secrets" / SECRET_KEYS[user]) if user in SECRET_KEYS else ""
    return {"SECRET_KEY_FILE": key, "HOME": "/nonexistent", "USER": user}


def hand_over(house: "House") -> None:
    """Gives each user the ownership of files that the starting user made for it. Does nothing if processes share a user."""
    if not house.separated:
        return
    for name in ("audit", "journal/pki", "journal/billing", "ocsp", "status", "metrics", "redis", "tls"):
        (house.var / name).mkdir(parents=True, exist_ok=True)
    for place in PLACES:
        top = house.var / place.path
        for path in _within(top, whole=place.whole):
            _give(path, place, always=path == top)
    for name in house.socket_names:
        folder = house.socket(name).parent
        folder.mkdir(mode=0o710, exist_ok=True)
        shutil.chown(folder, OF_PROGRAM[name], QUEUE if name == "redis" else PROXY_USER)
        folder.chmod(0o2710)


def _within(path: Path, *, whole: bool) -> Iterator[Path]:
    yield path
    if whole:
        for folder, folders, files in os.walk(path):
            yield from (Path(folder) / name for name in (*folders, *files))


def _give(path: Path, place: Place, *, always: bool) -> None:
    """Changes owner and mode of a file or folder that the starting user made.

    It uses a descriptor and follows neither symbolic nor hard links, since other users may write to the folder.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # a link, a socket, or replaced by a running process
        return
    try:
        status = os.fstat(descriptor)
        is_folder = stat.S_ISDIR(status.st_mode)
        if always or (status.st_uid == os.geteuid() and (is_folder or status.st_nlink == 1)):
            os.fchown(descriptor, pwd.getpwnam(place.user).pw_uid, grp.getgrnam(place.group).gr_gid)
            os.fchmod(descriptor, place.folder if is_folder else place.file)
    finally:
        os.close(descriptor)
