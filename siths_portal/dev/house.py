"""The make targets: `python -m siths_portal.dev.house TARGET`. Standard library only, since it also installs the rest."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from siths_portal.dev.home import locked, open_house
from siths_portal.dev.progress import HouseError, run_steps, seconds_since_start, warn
from siths_portal.dev.steps import SERVE_STEPS
from siths_portal.dev.supervision import Supervisor
from siths_portal.dev.toolchain import INSTALL_STEPS

ROOT = Path(__file__).resolve().parent.parent.parent


def setup() -> None:
    """Installs what is missing."""
    with locked(ROOT):
        run_steps(INSTALL_STEPS, ROOT)


def run() -> None:
    """Installs, starts, migrates, and leaves the house serving in the background."""
    with locked(ROOT):
        run_steps(INSTALL_STEPS, ROOT)
        house = open_house(ROOT)
        run_steps(SERVE_STEPS, house)
    print(f"\nFresh clone to served: {seconds_since_start():.1f} s")
    print(f"Portal     http://localhost:{house.port('portal')}")
    print(f"Mina sidor http://localhost:{house.port('minasidor')}")
    print(f"Status     http://127.0.0.1:{house.port('status')}")
    print(f"API (mTLS) https://localhost:{house.port('api')}")
    print(f"Logs       {house.var / 'log'}")
    print("Ends with  make stop")


def stop() -> None:
    """Ends what `run` started, and nothing else."""
    if not (ROOT / "var" / "house.json").exists():
        print("Nothing was started.")
        return
    with locked(ROOT):
        house = open_house(ROOT, environ={**os.environ, "PORT_BASE": ""})
        print("Stopped." if Supervisor(house).stop() else "Nothing was running.")


def pytest(*arguments: str) -> None:
    """Installs what is missing and becomes pytest."""
    setup()
    sys.stdout.flush()
    extra = os.environ.get("PYTEST_ARGS", "").split()
    os.chdir(ROOT)
    os.execv(ROOT / ".venv" / "bin" / "python", ["python", "-m", "pytest", *arguments, *extra])


def test() -> None:
    """Every test, the long suites in their short form."""
    workers = max(1, min(4, os.cpu_count() or 1))
    pytest("tests", "-n", str(workers), "--dist", "loadfile")


TARGETS: dict[str, Callable[[], None]] = {"setup": setup, "run": run, "demo": run, "test": test, "stop": stop}


def main(arguments: list[str]) -> int:
    """Runs one target; returns its exit code."""
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
