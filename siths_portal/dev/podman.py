"""podman with its own storage in one folder, and images built from Debian's packages only, for `make compose-test`.

It needs root. Images that `docker-compose.yml` takes from a registry are replaced by stand-ins under the same names.
"""

import contextlib
import os
import resource
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from siths_portal.dev.compose_stack import Stack
from siths_portal.dev.progress import HouseError, run_logged
from siths_portal.dev.toolchain import CA_BUNDLE

SUITE = "trixie"
HUB = "docker.io"
BASE = f"{HUB}/library/debian:13-slim"
PORTAL_IMAGE = f"{HUB}/library/siths-portal:latest"
"""The name under which Docker's interface finds `siths-portal`."""
STAND_INS = {
    "postgres": f"{HUB}/library/postgres:17",
    "redis": f"{HUB}/library/redis:7",
    "nginx": f"{HUB}/nginxinc/nginx-unprivileged:1.28",
}
TRUSTED = "/etc/ssl/machine.pem"
"""The file of trusted CAs in the stand-in base: this machine's, since its registries may have certificates of its own CA."""
TRUSTING = {
    "NODE_EXTRA_CA_CERTS": TRUSTED,
    "NPM_CONFIG_CAFILE": TRUSTED,
    "PIP_CERT": TRUSTED,
    "SSL_CERT_FILE": TRUSTED,
    "UV_SYSTEM_CERTS": "1",
}

CONTAINERS_CONF = """\
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile={files}", "nproc={processes}"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
env = ["DISABLE_HC_SYSTEMD=true", "PODMAN_IGNORE_CGROUPSV1_WARNING=1"]
tmp_dir = "{folder}/tmp"
[network]
network_backend = "netavark"
firewall_driver = "nftables"
network_config_dir = "{folder}/networks"
"""
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{folder}/run"
"""
REGISTRIES_CONF = f"""\
unqualified-search-registries = ["{HUB}"]
short-name-mode = "permissive"
"""


@dataclass(frozen=True)
class Podman:
    """podman that keeps all its state in `folder`."""

    folder: Path
    log: Path
    _ending: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def socket(self) -> Path:
        """The socket of its service, which speaks Docker's protocol."""
        return self.folder / "podman.sock"

    @property
    def environment(self) -> dict[str, str]:
        """What podman, and Compose as its client, get besides the caller's environment."""
        return {
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.folder / "registries.conf"),
            "DOCKER_HOST": f"unix://{self.socket}",
        }

    def write_configuration(self) -> None:
        """Makes the folder with podman's configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "networks").mkdir(exist_ok=True)
        # podman would raise them, which root in a container or a sandbox may not.
        limits = {"files": resource.RLIMIT_NOFILE, "processes": resource.RLIMIT_NPROC}
        values = {name: "{}:{}".format(*resource.getrlimit(limit)) for name, limit in limits.items()}
        texts = {
            "containers": CONTAINERS_CONF.format(folder=self.folder, **values),
            "storage": STORAGE_CONF.format(folder=self.folder),
            "registries": REGISTRIES_CONF,
        }
        for name, text in texts.items():
            (self.folder / f"{name}.conf").write_text(text)

    def call(self, *arguments: str) -> None:
        """Runs podman and appends its output to the log. Raises HouseError if it fails."""
        run_logged(["podman", *arguments], self.log, cwd=self.folder, env=dict(os.environ) | self.environment)

    def ask(self, *arguments: str) -> str:
        """Returns what podman prints. Raises HouseError if it fails."""
        environment = dict(os.environ) | self.environment
        done = subprocess.run(["podman", *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise HouseError(f"podman {arguments[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    # --- images ----------------------------------------------------------------------------------------------------------

    def make_base(self) -> None:
        """Makes the stand-in for Debian's image, with the CAs and apt's settings of this machine."""
        root = self.folder / "base"
        include = "--include=ca-certificates"
        run_logged(["debootstrap", "--variant=minbase", include, SUITE, str(root)], self.log, cwd=self.folder)
        if Path(CA_BUNDLE).exists():
            shutil.copy(CA_BUNDLE, root / TRUSTED.lstrip("/"))
        dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout.splitlines()
        settings = [line for line in dumped if line.startswith("Acquire::")]
        (root / "etc/apt/apt.conf.d/90machine").write_text("\n".join(settings) + "\n")
        archive = self.folder / "base.tar"
        run_logged(["tar", "--create", "--file", str(archive), "--directory", str(root), "."], self.log, cwd=self.folder)
        changes = [word for name, value in TRUSTING.items() for word in ("--change", f"ENV {name}={value}")]
        self.call("import", *changes, str(archive), BASE)
        archive.unlink()
        shutil.rmtree(root)

    def build(self, tag: str, folder: Path, file: Path) -> None:
        """Builds an image from the Dockerfile `file` with the content of `folder`. The registries are reached as from here."""
        self.call("build", "--network", "host", "--pull=never", "--tag", tag, "--file", str(file), str(folder))

    def build_all(self, root: Path) -> None:
        """Builds the stand-ins and the image of the clone in `root`."""
        folder = root / "siths_portal" / "dev" / "compose" / "stand_ins"
        for name, tag in STAND_INS.items():
            self.build(tag, folder, folder / f"{name}.Dockerfile")
        self.build(PORTAL_IMAGE, root, root / "Dockerfile")

    # --- the service and its containers ----------------------------------------------------------------------------------

    def serve(self) -> "subprocess.Popen[bytes]":
        """Starts the service for Compose, and the health checks, which podman leaves to systemd."""
        command = ["podman", "system", "service", "--time", "0", f"unix://{self.socket}"]
        with self.log.open("ab") as log:
            service = subprocess.Popen(
                command, env=dict(os.environ) | self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        threading.Thread(target=self._check_health, daemon=True).start()
        return service

    def end(self, service: "subprocess.Popen[bytes]") -> None:
        """Ends the health checks, removes all containers, and ends the service."""
        self._ending.set()
        try:
            self.call("rm", "--all", "--force", "--time", "0")
        finally:
            service.terminate()
            service.wait()
            for group in Path("/sys/fs/cgroup").glob("*/libpod_parent"):
                with contextlib.suppress(OSError):  # another podman's containers are in it
                    group.rmdir()

    def _check_health(self) -> None:
        environment = dict(os.environ) | self.environment
        while not self._ending.wait(2):
            command = ["podman", "ps", "--format", "{{.Names}} {{.Status}}"]
            listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout
            for line in listed.splitlines():
                if "(starting)" in line or "(unhealthy)" in line:
                    checked = ["podman", "healthcheck", "run", line.split()[0]]
                    subprocess.run(checked, env=environment, capture_output=True, check=False)

    def stack(self, root: Path) -> Stack:
        """Returns the stack of the clone in `root`, run by this podman."""
        return Stack(root, self.environment)
