"""`make compose-test`: the stack of `docker-compose.yml` on podman, from a copy of this clone as it would be checked out.

It needs root and Debian's packages, but no registry of images. All of it is below `var/compose-test/` and in namespaces of its
own, so that it meets no port, network or process of this machine. It keeps nothing but its log.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from siths_portal.dev.compose_setup import SETUP_STEPS, await_portal
from siths_portal.dev.compose_stack import Stack
from siths_portal.dev.podman import Podman
from siths_portal.dev.progress import HouseError, Step, run_steps, wait_for, warn

NAMESPACES = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
KILLED = ("portal", "api", "pki-worker", "worker", "suppliers-worker", "ocspd", "portal-front", "redis", "postgres")
"""The containers that are killed, each like a crash: SIGKILL to its first process."""
KEPT_TABLES = (
    "issuance_cardorder", "issuance_carrier", "issuance_receipt", "pki_certificate", "pki_revocation", "billing_invoice",
)  # fmt: skip
"""The tables whose rows are compared before and after."""
SECONDS = 300


@dataclass
class Trial:
    """A trial of the stack in `root` on `podman`."""

    root: Path
    podman: Podman
    followers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def stack(self) -> Stack:
        """The stack."""
        return self.podman.stack(self.root)

    def follow_logs(self) -> None:
        """Copies what all containers print to the file in which the demo looks for personal data."""
        command = [*self.stack.command(), "--ansi", "never", "logs", "--follow", "--no-color"]
        with (self.stack.folder / "log" / "containers.log").open("ab") as log:
            environment = dict(os.environ) | self.podman.environment
            self.followers.append(subprocess.Popen(command, cwd=self.root, env=environment, stdout=log, stderr=log))

    def walk(self) -> str:
        """Drives a card from order to invoice, as `make demo` does. Raises HouseError."""
        self.follow_logs()
        said = self.stack.piped("demo", "python3", "manage.py", "demo_run", "--out", "var/demo").decode()
        steps = [line for line in said.splitlines() if line.endswith(" s")]
        return f"{len(steps)} steps"

    def kill_each(self) -> str:
        """Kills each container of KILLED like a crash, and waits until it is ready again. Raises HouseError."""
        for service in KILLED:
            name = f"siths-{service}-1"
            before = self._state(name)
            os.kill(int(before[0]), signal.SIGKILL)

            def back(name: str = name, before: list[str] = before) -> bool:
                now = self._state(name)
                return now[:2] != before[:2] and now[0] != "0" and now[2] in ("", "healthy")

            wait_for(back, f"{service} after its death", seconds=SECONDS)
        await_portal(self.stack)
        return f"{len(KILLED)} killed"

    def _state(self, name: str) -> list[str]:
        """Returns process id, time of start and health of a container; health is "" if it has no check."""
        form = "{{.State.Pid}}|{{.State.StartedAt}}|{{if .State.Health}}{{.State.Health.Status}}{{end}}"
        return self.podman.ask("inspect", "--format", form, name).split("|")

    def counted(self) -> dict[str, int]:
        """Returns the number of rows of KEPT_TABLES."""
        one_each = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in KEPT_TABLES)
        said = self.stack.inside("postgres", "psql", "-U", "postgres", "-d", "siths", "-tA", "-c", one_each).decode()
        return {table: int(count) for table, count in (line.split("|") for line in said.split())}

    def verify(self) -> None:
        """Verifies audit chains, their MACs, states and invoices. Raises HouseError."""
        self.stack.run("commands", "python3", "manage.py", "audit_verify", "--macs")

    def down_and_up(self) -> str:
        """Removes all containers and makes them again. Raises HouseError if a row of KEPT_TABLES is gone or new."""
        before = self.counted()
        self.stack.call("down")
        self.stack.call("up", "-d")
        await_portal(self.stack)
        if (after := self.counted()) != before:
            raise HouseError(f"rows before: {before}, after: {after}")
        return f"{sum(before.values())} rows of {len(before)} tables"

    def drop(self) -> None:
        """Removes containers, networks and volumes."""
        self.stack.call("down", "--volumes")


def _on(stack: Stack, step: Step) -> Step:
    return Step(step.name, lambda _: step.work(stack))


def steps(trial: Trial) -> Iterator[Step]:
    """Yields the steps on the stack, from settings to the end."""
    for step in SETUP_STEPS:
        if step.name != "Image":  # built before, where the registries can be reached
            yield _on(trial.stack, step)
    yield Step("One card through its whole life", lambda _: trial.walk())
    yield Step("Killed containers start again", lambda _: trial.kill_each())
    yield Step("Audit chains, states and invoices", lambda _: trial.verify())
    yield Step("Down and up", lambda _: trial.down_and_up())
    yield Step("The same again", lambda _: trial.verify())
    yield Step("The next card through its whole life", lambda _: trial.walk())
    yield Step("Down, with volumes", lambda _: trial.drop())


def _copy(root: Path, checkout: Path) -> None:
    """Copies the files that git has or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout.decode().split("\0")
    for name in listed:
        if name and (root / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, checkout / name)


def run_compose_test(root: Path) -> None:
    """Builds the images here and starts the rest in namespaces of its own. Raises HouseError."""
    if os.geteuid() != 0:
        raise HouseError("make compose-test needs root, for containers with networks", 2)
    folder = root / "var" / "compose-test"
    podman = Podman(folder, root / "var" / "log" / "compose-test.log")
    _remove(folder)
    podman.write_configuration()
    checkout = folder / "checkout"
    prepare = (
        Step("A checkout", lambda _: _copy(root, checkout)),
        Step("Stand-in for Debian's image", lambda _: podman.make_base()),
        Step("Images", lambda _: podman.build_all(checkout)),
    )
    try:
        run_steps(prepare, None)
        command = [*NAMESPACES, sys.executable, "-m", "siths_portal.dev.compose_test", str(checkout), str(folder)]
        if subprocess.run(command, cwd=root, check=False).returncode:
            kept = root / "var" / "log" / "compose-test"
            for logs in (checkout / "var" / "log", checkout / "var" / "compose" / "log"):
                if logs.exists():
                    shutil.copytree(logs, kept, dirs_exist_ok=True)
            raise HouseError(f"The stack failed (logs: {podman.log}, {kept})")
    finally:
        _remove(folder)
    print("The stack lost nothing.")


def _remove(folder: Path) -> None:
    for mount in sorted(Path("/proc/mounts").read_text().splitlines(), reverse=True):
        if (place := mount.split()[1]).startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", place], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def main(checkout: Path, folder: Path) -> int:
    """Runs the steps on the stack, and ends the containers. Returns an exit code."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    podman = Podman(folder, folder.parent / "log" / "compose-test.log")
    trial = Trial(checkout, podman)
    service = podman.serve()
    try:
        wait_for(podman.socket.exists, "podman's service")
        run_steps(tuple(steps(trial)), None)
    except HouseError as error:
        warn(f"\n{error}")
        return 1
    finally:
        for follower in trial.followers:
            follower.terminate()
        podman.end(service)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
