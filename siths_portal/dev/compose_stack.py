"""The stack of `docker-compose.yml`: its files in `var/compose/`, and calls of Compose."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from siths_portal.dev.home import FIRST_BASE, OFFSETS
from siths_portal.dev.progress import HouseError, run_logged

COMPOSE_FILE = "docker-compose.yml"
DEMO_FILE = "siths_portal/dev/compose/demo.yml"
"""The file that adds the simulators of the demonstration."""
PORTS = {name: FIRST_BASE + OFFSETS[name] for name in ("portal", "minasidor", "status", "idp", "eid-app", "api", "login")}
"""The ports of the addresses that people and other systems use, the same inside the containers and outside."""
DOMAIN = "siths.localhost"
"""The demonstration's domain: browsers look for names below `localhost` on their own machine (RFC 6761 section 6.3)."""
STATUS_DOMAIN = "siths.home.arpa"
"""That of the addresses in certificates, since linters of certificates want a public suffix (RFC 8375)."""


def host(name: str) -> str:
    """Returns the demonstration's host name of a key of PORTS."""
    return f"{name}.{STATUS_DOMAIN if name == 'status' else DOMAIN}"


def address(name: str, scheme: str = "https") -> str:
    """Returns the demonstration's address of a key of PORTS, without a path."""
    return f"{scheme}://{host(name)}:{PORTS[name]}"


@dataclass(frozen=True)
class Stack:
    """The stack of the clone in `root`. `environment` has what Compose gets besides the caller's environment."""

    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of settings, secrets and certificates."""
        return self.root / "var" / "compose"

    @property
    def log(self) -> Path:
        """The output of the commands that set it up."""
        return self.root / "var" / "log" / "compose.log"

    @property
    def is_demo(self) -> bool:
        """Whether Compose reads DEMO_FILE too."""
        file = self.root / ".env"
        return file.exists() and DEMO_FILE in file.read_text()

    @property
    def _environment(self) -> dict[str, str]:
        return dict(os.environ) | dict(self.environment)

    def command(self) -> list[str]:
        """Returns Compose's command: Docker's, or the one that stands alone. Raises HouseError if there is neither."""
        for words in (["docker", "compose"], ["docker-compose"]):
            if shutil.which(words[0]) and self._succeeds([*words, "version"]):
                return words
        raise HouseError("Compose is not installed: neither docker compose nor docker-compose", 2)

    def _succeeds(self, command: list[str]) -> bool:
        return subprocess.run(command, env=self._environment, capture_output=True, check=False).returncode == 0

    def call(self, *arguments: str) -> None:
        """Runs Compose and appends its output to the log. Raises HouseError with the end of the output if it fails."""
        run_logged([*self.command(), *arguments], self.log, cwd=self.root, env=self._environment)

    def run(self, service: str, *command: str) -> None:
        """Runs a command in a new container of the service, whose dependencies must be running."""
        self.call("run", "--rm", "--no-deps", "-T", service, *command)

    def piped(self, service: str, *command: str, data: bytes = b"") -> bytes:
        """Does the same with `data` as its input, and returns its output."""
        words = [*self.command(), "run", "--rm", "--no-deps", "-T", service, *command]
        return self._piped(words, data)

    def inside(self, service: str, *command: str) -> bytes:
        """Runs a command in the running container of the service, and returns its output. Raises HouseError."""
        return self._piped([*self.command(), "exec", "-T", service, *command], b"")

    def _piped(self, words: list[str], data: bytes) -> bytes:
        done = subprocess.run(words, cwd=self.root, env=self._environment, input=data, capture_output=True, check=False)
        if done.returncode:
            raise HouseError(f"{' '.join(words)}:\n{done.stderr.decode(errors='replace').strip()}")
        return done.stdout
