"""The make targets: `python -m siths_portal.dev.house TARGET`. Standard library only, since it also installs the rest."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from siths_portal.dev import users
from siths_portal.dev.checks import run_audit, run_checks
from siths_portal.dev.compose_setup import SETUP_STEPS
from siths_portal.dev.compose_stack import PORTS, Stack
from siths_portal.dev.compose_test import run_compose_test
from siths_portal.dev.home import House, locked, open_house
from siths_portal.dev.progress import HouseError, Step, run_steps, seconds_since_start, warn
from siths_portal.dev.steps import SERVE_STEPS, WALK_STEPS
from siths_portal.dev.supervision import Supervisor
from siths_portal.dev.toolchain import INSTALL_STEPS, install_bench_packages, install_container_packages

ROOT = Path(__file__).resolve().parent.parent.parent


def setup(*more: Step) -> None:
    """Installs what is missing, and takes the steps `more`."""
    with locked(ROOT):
        run_steps((*INSTALL_STEPS, *more), ROOT)


def run() -> None:
    """Installs, starts and fills with demo data, runs the demo once, and leaves the development environment running."""
    _print_addresses(_serve(walk=not _has_walked()))


def demo() -> None:
    """Does the same as `run`, and runs the demo again, which writes `var/demo/summary.json` and artefacts."""
    _print_addresses(_serve(walk=True))


def sandbox() -> None:
    """Does the same as `run` without the demo, and queues orders for a supplier under test, or judges those of the last time."""
    house = _serve(walk=False)
    log = house.var / "log" / "commands.log"
    command = [str(house.python), "manage.py", "demo_sandbox"]
    with log.open("ab") as errors:
        done = subprocess.run(command, cwd=ROOT, env=house.command_env(), stderr=errors, check=False)
    if done.returncode:
        raise HouseError(f"The sandbox has no complete round (log: {log}).", done.returncode)


def _has_walked() -> bool:
    """Returns whether the demo has succeeded in this development environment."""
    try:
        steps = json.loads((ROOT / "var" / "demo" / "summary.json").read_text())["steps"]
    except (OSError, ValueError, KeyError):
        return False
    return bool(steps) and all(step["ok"] for step in steps)


def _serve(*, walk: bool) -> House:
    with locked(ROOT):
        run_steps(INSTALL_STEPS, ROOT)
        house = users.separate(open_house(ROOT))
        run_steps((*SERVE_STEPS, *(WALK_STEPS if walk else ())), house)
    return house


def _print_addresses(house: House) -> None:
    print(f"\nFrom the first line to now: {seconds_since_start():.1f} s")
    print(f"Portal     http://localhost:{house.port('portal')}")
    print(f"Mina sidor http://localhost:{house.port('minasidor')}")
    print(f"Status     http://127.0.0.1:{house.port('status')}")
    print(f"API (mTLS) https://localhost:{house.port('api')}")
    if _has_walked():
        print(f"Demo       {house.var / 'demo' / 'summary.json'}")
    print("Log in     choose Logga in there, then one of the test persons that the identity provider lists, by role")
    print(f"Search for the people of {house.var / 'demo' / 'guide.txt'}, who have cards in every state")
    print(f"Logs       {house.var / 'log'}")
    print("Ends with  make stop")


def stop() -> None:
    """Ends the processes that `run` started, and no others."""
    if not (ROOT / "var" / "house.json").exists():
        print("Nothing was started.")
        return
    with locked(ROOT):
        house = open_house(ROOT, environ={**os.environ, "PORT_BASE": ""})
        print("Stopped." if Supervisor(house).stop() else "Nothing was running.")


def check() -> None:
    """Installs what is missing, then checks style, types, imports, migrations, deployment and files."""
    setup()
    run_checks(ROOT)


def audit() -> None:
    """Installs what is missing, then writes the SBOM and checks for known vulnerabilities."""
    setup()
    run_audit(ROOT)


def _pytest(*arguments: str, needs: Sequence[Step] = ()) -> None:
    setup(*needs)
    sys.stdout.flush()
    extra = shlex.split(os.environ.get("PYTEST_ARGS", ""))
    # A make that a test starts is not part of this one. Compiled modules are kept, since tests start hundreds of processes.
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONDONTWRITEBYTECODE"):
        os.environ.pop(name, None)
    os.chdir(ROOT)
    python = str(ROOT / ".venv" / "bin" / "python")
    os.execv(python, [python, "-m", "pytest", *arguments, *extra])


def test() -> None:
    """Runs every test, long suites in their short form. Repeats failed tests once at the end (ADR 0210)."""
    # One more than there are cores, since tests often wait for processes and browsers. Each process costs a browser and other
    # fixtures of its own, so a further one makes the run slower.
    workers = min(4, (os.cpu_count() or 1) + 1)
    _pytest("tests", "--processes", str(workers), "-p", "siths_portal.dev.repeat", "--durations", "10")


def soak() -> None:
    """Runs the long forms of fuzzing, kill points and races."""
    os.environ.setdefault("SITHS_LONG", "1")
    _pytest("tests", "-m", "soak", "--timeout", "7200")


def faults() -> None:
    """Runs the long forms of the fault experiments: a table of runs, losses and doubles, in `var/faults/faults.md` too."""
    os.environ.setdefault("SITHS_LONG", "1")
    _pytest("-p", "tests.faults.report", "--timeout", "7200")


def bench_files(area: str) -> dict[str, list[str]]:
    """Returns the benchmark files by area, of all areas if `area` is empty. Raises HouseError, which lists them, for another."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests" / "bench").glob("bench_*.py")):
        found.setdefault(path.stem.split("_")[1], []).append(str(path.relative_to(ROOT)))
    if area and area not in found:
        raise HouseError(f"AREA is {' or '.join(found)}, not {area}", 2)
    return {area: found[area]} if area else found


def bench() -> None:
    """Installs what the benchmarks need and runs them, or those of AREA: a table and `var/bench/results.json`."""
    files = bench_files(os.environ.get("AREA", ""))
    packages = Step("Debian packages of benchmarks", lambda root: install_bench_packages(root, files))
    chosen = [path for paths in files.values() for path in paths]
    _pytest(*chosen, "-o", "python_files=bench_*.py", "-p", "no:randomly", "--timeout", "3600", needs=(packages,))


def compose_setup() -> None:
    """Makes secrets, certificates, tokens, CAs and first administrators of the containers, and starts them."""
    with locked(ROOT):
        run_steps(SETUP_STEPS, Stack(ROOT))
    print(f"Portal     https://localhost:{PORTS['portal']}")
    print(f"Mina sidor https://localhost:{PORTS['minasidor']}")
    print("Ends with  docker compose down, starts again with docker compose up -d")


def compose_test() -> None:
    """Builds and starts the containers with podman, drives a card through them, and checks that they lose nothing."""
    setup(Step("Debian packages of containers", install_container_packages))
    run_compose_test(ROOT)


TARGETS: dict[str, Callable[[], None]] = {
    "run": run,
    "demo": demo,
    "sandbox": sandbox,
    "test": test,
    "check": check,
    "audit": audit,
    "soak": soak,
    "faults": faults,
    "bench": bench,
    "stop": stop,
    "setup": setup,
    "compose-setup": compose_setup,
    "compose-test": compose_test,
}


def main(arguments: list[str]) -> int:
    """Runs one target and returns its exit code."""
    if len(arguments) != 1 or arguments[0] not in TARGETS:
        warn(f"Use: make {' | '.join(TARGETS)}")
        return 2
    try:
        TARGETS[arguments[0]]()
    except HouseError as error:
        warn(f"\n{error}")
        return error.code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
