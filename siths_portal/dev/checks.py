"""The checks of `make check`, and `make audit`. Each check prints its name and seconds. All run, and the failures come last."""

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from siths_portal.dev import openssl, sbom
from siths_portal.dev.compose_stack import COMPOSE_FILE, DEMO_FILE
from siths_portal.dev.deployment.units import PYTHON
from siths_portal.dev.home import base_env
from siths_portal.dev.progress import HouseError

APPS = ("siths_portal", "authn", "pki", "issuance", "billing")
# The two public hosts that any uv.lock names, as the SHA-256 of their sorted list.
LOCK_HOSTS = "0eebf964e1b253407f6fda540c79403a97241856d79dff7c809f9cd5845c94f2"
HOME_PATH = re.compile(rb"(?<![\w.$}/-])/(?:root|home|Users)/[\w.-]+")
TEXT_LIMIT = 2_000_000

Check = Callable[[Path], str | None]


def _run(root: Path, *command: str, env: dict[str, str] | None = None) -> str | None:
    done = subprocess.run(
        command,
        cwd=root,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else done.stdout.strip() or f"ended with {done.returncode}"


def _tool(root: Path, module: str, *arguments: str) -> str | None:
    return _run(root, str(root / ".venv" / "bin" / "python"), "-m", module, *arguments)


def ruff_lint(root: Path) -> str | None:
    """Checks ruff's rules of pyproject.toml."""
    return _tool(root, "ruff", "check", "--quiet", ".")


def ruff_format(root: Path) -> str | None:
    """Checks the format of all files."""
    return _tool(root, "ruff", "format", "--check", "--quiet", ".")


def types(root: Path) -> str | None:
    """Runs mypy on every application, strict where pyproject.toml says so."""
    return _tool(root, "mypy", "--no-error-summary", *APPS)


def imports(root: Path) -> str | None:
    """Checks the import contracts of `.importlinter`."""
    return _run(root, str(root / ".venv" / "bin" / "lint-imports"), "--no-logo")


@contextmanager
def _settings(**values: str) -> Iterator[dict[str, str]]:
    """Yields an environment that is independent of `var/portal.env` and of the caller's shell."""
    with tempfile.TemporaryDirectory(prefix="siths-check-") as folder:
        key = Path(folder) / "secret_key"
        key.write_text(secrets.token_urlsafe(64))
        client_key = Path(folder) / "oidc_client_key"
        client_key.write_text(openssl.new_key())
        own = {"SITHS_VAR_DIR": folder, "SECRET_KEY_FILE": str(key), "OIDC_CLIENT_KEY_FILE": str(client_key)}
        yield base_env() | own | values


def _manage(root: Path, env: dict[str, str], *arguments: str) -> str | None:
    problem = _run(root, str(root / ".venv" / "bin" / "python"), "-W", "ignore", "manage.py", *arguments, env=env)
    return "\n".join(problem.splitlines()[-20:]) if problem else None


def migrations(root: Path) -> str | None:
    """Checks that no model has changed without a migration."""
    with _settings(DEBUG="1") as env:
        return _manage(root, env, "makemigrations", "--check", "--dry-run")


def deployment(root: Path) -> str | None:
    """Runs `check --deploy` for every service with production settings. Fails on a warning."""
    for face in ("portal", "minasidor", "login", "status", "api"):
        with _settings(SITHS_FACE=face, **PRODUCTION) as env:
            if problem := _manage(root, env, "check", "--deploy", "--fail-level", "WARNING"):
                return f"{face}: {problem}"
    return None


def static_files(root: Path) -> str | None:
    """Collects static files with production settings, which fails if a stylesheet refers to a missing file."""
    with _settings(**PRODUCTION) as env:
        return _manage(root, env, "collectstatic", "--no-input", "--verbosity", "0")


PRODUCTION = {
    "DEBUG": "0",
    "DATABASE_API_URL": "postgres://siths_api@localhost/siths",
    "SECURE_SSL_REDIRECT": "1",
    "ALLOWED_HOSTS": "portal.example.org",
    "PORTAL_BASE_URL": "https://portal.example.org",
    "MINASIDOR_BASE_URL": "https://minasidor.example.org",
    "STATUS_BASE_URL": "http://status.example.org",
    "API_BASE_URL": "https://api.example.org",
    "PKI_POLICY_ARC": "2.25.1",
    "PKI_START_BY_TWO": "1",
    "PKCS11_PIN_FILE": "",
    "DIRECTORY_URL": "https://directory.example.org",
    "PERSON_REGISTER_URL": "https://register.example.org",
    "EID_APP_URL": "https://eidapp.example.org/",
    "OIDC_ISSUER": "https://idp.example.org",
    "ACCESSIBILITY_CONTACT": "tillganglighet@example.org",
    "SELLER_NAME": "Exempelbolaget AB",
    "SELLER_ORGNR": "5560360793",
    "SELLER_VAT": "SE556036079301",
    "SELLER_BANKGIRO": "9912346",
    "SELLER_EMAIL": "faktura@example.org",
    "OPERATOR_NAME": "Provregionen",
}


def _openapi_files(root: Path) -> list[Path]:
    return sorted(path for app in ("issuance", "pki") for path in (root / app).rglob("openapi.yaml"))


def openapi(root: Path) -> str | None:
    """Checks that each committed `openapi.yaml` matches its application's URLs."""
    for committed in _openapi_files(root):
        with _settings(DEBUG="1", SITHS_FACE="api") as env:
            fresh = Path(env["SITHS_VAR_DIR"]) / "openapi.yaml"
            urls = ".".join(committed.relative_to(root).parent.parts) + ".urls"
            problem = _manage(root, env, "spectacular", "--urlconf", urls, "--validate", "--fail-on-warn", "--file", str(fresh))
            if problem:
                return f"{committed.relative_to(root)}: {problem}"
            if fresh.read_bytes() != committed.read_bytes():
                return f"{committed.relative_to(root)} is old: manage.py spectacular --urlconf {urls} --file {committed.name}"
    return None


def openapi_rules(root: Path) -> str | None:
    """Lints each `openapi.yaml` by Redocly's recommended rules and Spectral's for OpenAPI. Any finding fails."""
    script = Path(__file__).with_name("lint_openapi.mjs")
    return _run(root, "node", str(script), *(str(path.relative_to(root)) for path in _openapi_files(root)))


def compose(root: Path) -> str | None:
    """Runs `docker compose config` on the stack, without and with the demo, if Docker's client is installed."""
    if not shutil.which("docker") or _run(root, "docker", "compose", "version") is not None:
        return None
    alone = ("docker", "compose", "-f", COMPOSE_FILE)
    return _run(root, *alone, "config", "-q") or _run(root, *alone, "-f", DEMO_FILE, "config", "-q")


def units(root: Path) -> str | None:
    """Runs `systemd-analyze verify` on the units of `deploy/systemd`, if systemd is installed. Any finding fails.

    The interpreter of an installation is missing here, so copies of the units name this one.
    """
    if not shutil.which("systemd-analyze"):
        return None
    with tempfile.TemporaryDirectory(prefix="siths-check-") as folder:
        copies = []
        for unit in sorted((root / "deploy" / "systemd").glob("siths*.[st]*")):
            if unit.suffix in (".service", ".target"):
                copies.append(Path(folder) / unit.name)
                copies[-1].write_text(unit.read_text().replace(PYTHON, sys.executable))
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=yes", *map(str, copies)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        own = [line for line in done.stderr.splitlines() if folder in line]
    return "\n".join(own) or None


def lock_hosts(root: Path) -> str | None:
    """Checks that uv.lock contains the two public hosts and no private one."""
    hosts = sorted(set(re.findall(r'https?://([^/"]+)', (root / "uv.lock").read_text())))
    if hashlib.sha256(" ".join(hosts).encode()).hexdigest() != LOCK_HOSTS:
        return f"uv.lock names other hosts than the two public ones: {', '.join(hosts)}"
    return None


def machine_paths(root: Path) -> str | None:
    """Checks that no tracked file contains a path of the machine on which it was written."""
    own = {str(root).encode()}
    own |= {str(Path.home()).encode() + b"/"} if Path.home() != Path("/") else set()
    found = []
    for name in subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout.split(b"\0"):
        path = root / os.fsdecode(name)
        if not name or not path.is_file() or path.stat().st_size > TEXT_LIMIT:
            continue
        content = path.read_bytes()
        if any(text in content for text in own) or HOME_PATH.search(content):
            found.append(os.fsdecode(name))
    return f"paths of a machine in: {', '.join(found)}" if found else None


CHECKS: tuple[tuple[str, Check], ...] = (
    ("ruff check", ruff_lint),
    ("ruff format", ruff_format),
    ("mypy", types),
    ("import contracts", imports),
    ("migrations", migrations),
    ("check --deploy", deployment),
    ("static files", static_files),
    ("OpenAPI files", openapi),
    ("OpenAPI rules", openapi_rules),
    ("docker compose config", compose),
    ("systemd units", units),
    ("hosts in uv.lock", lock_hosts),
    ("paths in tracked files", machine_paths),
)


def run_checks(root: Path) -> None:
    """Runs all checks, as many at once as there are cores. Raises HouseError with the names of those that failed."""
    failed = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for name, found in [(name, pool.submit(_timed, check, root)) for name, check in CHECKS]:
            print(f"  {name:<42}", end="", flush=True)
            problem, seconds = found.result()
            print(f"{seconds:7.1f} s  {'failed' if problem else 'ok'}", flush=True)
            if problem:
                failed.append(name)
                print("\n".join(f"    {line}" for line in problem.splitlines()), flush=True)
    if failed:
        raise HouseError(f"Not so: {', '.join(failed)}")


def _timed(check: Check, root: Path) -> tuple[str | None, float]:
    started = time.monotonic()
    return check(root), time.monotonic() - started


def audit_verdict(dependencies: list[dict[str, Any]]) -> str:
    """Returns what a pip-audit report without vulnerabilities proves, since it skips packages that its source does not know."""
    skipped = [one["name"] for one in dependencies if "skip_reason" in one]
    audited = len(dependencies) - len(skipped)
    if not audited:
        return f"not audited: the source of known vulnerabilities answered for none of {len(dependencies)} packages"
    verdict = f"Audited: no known vulnerability in {audited} packages."
    return f"{verdict} not audited: {', '.join(skipped)}" if skipped else verdict


def npm_verdict(report: dict[str, Any]) -> str:
    """Returns what a report of `npm audit` proves: one without counts says why the registry did not answer.

    Raises HouseError if there are known vulnerabilities.
    """
    counts = report.get("metadata")
    if not counts:
        return f"not audited: npm packages ({str(report.get('message') or 'no answer').splitlines()[0]})"
    if found := counts["vulnerabilities"]["total"]:
        raise HouseError(f"npm: {found} known vulnerabilities; `npm audit` lists them")
    return f"Audited: no known vulnerability in {counts['dependencies']['total']} npm packages."


def write_sbom(root: Path, folder: Path) -> Path:
    """Writes the SBOM into the folder and returns its file. Raises HouseError."""
    bill = folder / "sbom.cdx.json"
    if problem := _run(root, *sbom.arguments(root, str(root / ".venv" / "bin" / "python"), bill)):
        raise HouseError(f"SBOM: {problem}")
    sbom.add_npm_packages(root, bill)
    return bill


def run_audit(root: Path) -> None:
    """Writes an SBOM and a report of known vulnerabilities of Python packages to `var/dependencies`, and asks npm for its own.

    Raises HouseError if there are any. Prints `not audited` if a source of vulnerabilities cannot be reached.
    """
    folder = root / "var" / "dependencies"
    folder.mkdir(parents=True, exist_ok=True)
    python = str(root / ".venv" / "bin" / "python")
    bill = write_sbom(root, folder)
    print(f"SBOM: {bill}")
    report = folder / "vulnerabilities.json"
    command = [python, "-m", "pip_audit", "--local", "--progress-spinner", "off", "--format", "json", "--output", str(report)]
    done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        print(audit_verdict(json.loads(report.read_text())["dependencies"]))
    elif "known vulnerabilit" in done.stderr:
        raise HouseError(f"{done.stderr.strip().splitlines()[-1]} (report: {report})")
    else:
        print(f"not audited: Python packages ({(done.stderr.strip().splitlines() or ['no answer'])[-1]})")
    command = ["npm", "audit", "--package-lock-only", "--json"]
    done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    print(npm_verdict(json.loads(done.stdout or "{}")))
