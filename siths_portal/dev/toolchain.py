"""Installs missing Debian packages, uv, the locked Python packages and the pages' vendored files. Standard library only."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from siths_portal.dev.progress import HouseError, Step, run_logged

UV_VERSION = "0.13.9"
PACKAGE_LIST = Path(__file__).with_name("apt-packages.txt")
BENCH_PACKAGES: dict[str, dict[str, str]] = {"pki": {"wrk": "wrk", "golang-cfssl": "cfssl"}, "pairs": {"wrk": "wrk"}}
"""Debian packages that the benchmarks of an area need besides `apt-packages.txt`, each with the command that does as well."""
CONTAINER_PACKAGES = ("podman", "runc", "nftables", "netavark", "aardvark-dns", "docker-compose", "debootstrap", "iproute2")

CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_DESIGN = "node_modules/@digdir/designsystemet-css/"
_TYPEFACE = "node_modules/@fontsource-variable/atkinson-hyperlegible-next/"
_PAPER_TYPEFACE = "node_modules/@fontsource/atkinson-hyperlegible-next/files/atkinson-hyperlegible-next"
VENDORED = {
    f"{_DESIGN}LICENSE": "LICENSE",
    f"{_TYPEFACE}files/atkinson-hyperlegible-next-latin-wght-normal.woff2": "atkinson-latin.woff2",
    f"{_TYPEFACE}files/atkinson-hyperlegible-next-latin-ext-wght-normal.woff2": "atkinson-latin-ext.woff2",
    f"{_TYPEFACE}LICENSE": "LICENSE-atkinson",
    # For documents: WeasyPrint takes long for a variable font.
    f"{_PAPER_TYPEFACE}-latin-400-normal.woff2": "atkinson-pdf-400.woff2",
    f"{_PAPER_TYPEFACE}-latin-700-normal.woff2": "atkinson-pdf-700.woff2",
    f"{_PAPER_TYPEFACE}-latin-ext-400-normal.woff2": "atkinson-pdf-ext-400.woff2",
    f"{_PAPER_TYPEFACE}-latin-ext-700-normal.woff2": "atkinson-pdf-ext-700.woff2",
    "node_modules/htmx.org/dist/htmx.min.js": "htmx.min.js",
    "node_modules/htmx.org/LICENSE": "LICENSE-htmx",
}
"""Files of npm packages, and their names in `static/vendor`."""

DESIGN_COMPONENTS = (
    "alert", "button", "dialog", "error-summary", "field", "fieldset", "input", "label", "link", "list", "paragraph", "skip-link",
    "table", "tag", "validation-message", "data-size-workaround",
)  # fmt: skip
"""The components of Designsystemet that the pages use. The whole stylesheet is three times as large."""

UNUSED_THEME_LAYERS = ("ds.theme.typography.secondary",)
"""Layers of Designsystemet's theme that no page uses."""

DARK_LAYER = "ds.theme.color-scheme.dark"
DARK_EDITS = (
    (r"\[data-color-scheme=dark\]\{[^}]*\}", ""),
    (r"@media \(prefers-color-scheme:dark\)", "@media screen and (prefers-color-scheme:dark)"),
)
"""Edits of the theme's dark layer: the system alone chooses it, and never on paper."""


def missing_packages() -> list[str]:
    """Returns the packages of `apt-packages.txt` that are not installed and whose alternative command is not on PATH."""
    entries = [line.split() for line in PACKAGE_LIST.read_text().splitlines() if line and not line.startswith("#")]
    return _not_installed([words[0] for words in entries if len(words) == 1 or not shutil.which(words[1])])


def _not_installed(packages: Sequence[str]) -> list[str]:
    """Returns the packages that dpkg does not list as installed."""
    if not packages:
        return []
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *packages],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    installed = {line.split()[0] for line in answer.stdout.splitlines() if line.endswith(" installed")}
    return [package for package in packages if package not in installed]


def install_packages(root: Path) -> str | None:
    """Installs missing packages with apt-get, as root or with sudo. Raises HouseError with the exact command if it cannot."""
    if not shutil.which("dpkg-query"):
        raise HouseError("This is made for Debian 13: dpkg-query was not found", 2)
    missing = missing_packages()
    if not missing:
        return None
    prefix = _as_root()
    if prefix is None:
        raise HouseError(
            "Some Debian packages are missing. Install them, then run the same command again:\n"
            f"  apt-get install -y --no-install-recommends {' '.join(missing)}",
            2,
        )
    return _install(root, prefix, missing)


def install_bench_packages(root: Path, areas: Iterable[str]) -> str | None:
    """Installs what the benchmarks of these areas need. Raises HouseError, in one line, if this user or apt-get cannot."""
    commands = {package: command for area in areas for package, command in BENCH_PACKAGES.get(area, {}).items()}
    return _install_more(root, commands, "Benchmarks")


def install_container_packages(root: Path) -> str | None:
    """Installs what `make compose-test` needs. Raises HouseError as `install_bench_packages` does."""
    return _install_more(root, dict.fromkeys(CONTAINER_PACKAGES, ""), "Containers")


def _install_more(root: Path, commands: Mapping[str, str], who: str) -> str | None:
    """Installs the packages whose command is not on PATH."""
    missing = _not_installed([package for package, command in commands.items() if not shutil.which(command)])
    if not missing:
        return None
    by_hand = f"As root: apt-get install -y --no-install-recommends {' '.join(missing)}"
    prefix = _as_root()
    if prefix is None:
        raise HouseError(f"{who} need Debian packages that are missing. {by_hand}", 2)
    try:
        return _install(root, prefix, missing)
    except HouseError as error:
        raise HouseError(f"{who} need Debian packages, and apt-get failed (log: {_log(root)}). {by_hand}") from error


def _as_root() -> list[str] | None:
    """Returns what goes before a command that needs root, or None if this user cannot become root without a password."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0:
        return ["sudo", "-n"]
    return None


def _log(root: Path) -> Path:
    return root / "var" / "log" / "setup.log"


def _install(root: Path, prefix: list[str], missing: list[str]) -> str:
    log = _log(root)
    run_logged([*prefix, "apt-get", "-q", "update"], log, cwd=root)
    install = ["apt-get", "-q", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", *missing]
    run_logged([*prefix, "env", "DEBIAN_FRONTEND=noninteractive", *install], log, cwd=root)
    return f"{len(missing)} installed"


def uv(root: Path) -> Path:
    """Returns the path of the clone's own uv."""
    return root / "var" / "tools" / "uv" / "bin" / "uv"


def install_uv(root: Path) -> str | None:
    """Installs uv in its own virtual environment, unless it has UV_VERSION."""
    if uv(root).exists():
        version = subprocess.run([uv(root), "--version"], capture_output=True, text=True, check=False).stdout.split()
        if version[1:2] == [UV_VERSION]:
            return None
    log = root / "var" / "log" / "setup.log"
    home = root / "var" / "tools" / "uv"
    run_logged([sys.executable, "-m", "venv", "--clear", str(home)], log, cwd=root)
    run_logged([str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"], log, cwd=root)
    return UV_VERSION


def _trusting_environment() -> dict[str, str]:
    """Returns the caller's environment, in which uv and npm trust the machine's CA certificates, as apt and pip do."""
    system = {"UV_SYSTEM_CERTS": "1"}
    if Path(CA_BUNDLE).exists():
        system["NODE_EXTRA_CA_CERTS"] = CA_BUNDLE
    return system | os.environ


def sync_packages(root: Path) -> str | None:
    """Syncs `.venv` to `uv.lock`, with the Python that runs this. Downloads no interpreter."""
    env = _trusting_environment() | {
        "UV_PYTHON": os.path.realpath(sys.executable),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PROJECT_ENVIRONMENT": str(root / ".venv"),
    }
    env.pop("VIRTUAL_ENV", None)
    run_logged([str(uv(root)), "sync", "--locked", "--no-progress"], root / "var" / "log" / "setup.log", cwd=root, env=env)
    return None


def install_stylesheets(root: Path) -> str | None:
    """Installs Designsystemet's stylesheets, the typeface and htmx in the git-ignored `static/vendor`, if any has changed."""
    vendor = root / "static" / "vendor"
    stamp = vendor / ".installed"
    wanted = (root / "package-lock.json").read_bytes() + repr(
        (VENDORED, DESIGN_COMPONENTS, UNUSED_THEME_LAYERS, DARK_EDITS)
    ).encode()
    digest = hashlib.sha256(wanted).hexdigest()
    if stamp.exists() and stamp.read_text() == digest and all((vendor / name).exists() for name in VENDORED.values()):
        return None
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    run_logged(command, root / "var" / "log" / "setup.log", cwd=root, env=_trusting_environment())
    vendor.mkdir(parents=True, exist_ok=True)
    for source, name in VENDORED.items():
        shutil.copyfile(root / source, vendor / name)
    distributed = root / _DESIGN / "dist"
    (vendor / "designsystemet.css").write_text(_design_stylesheet(distributed / "src"))
    (vendor / "designsystemet-theme.css").write_text(_theme((distributed / "theme" / "designsystemet.css").read_text()))
    stamp.write_text(digest)
    return None


def _design_stylesheet(source: Path) -> str:
    """Returns the chosen components of Designsystemet as one stylesheet, in the layers of its own whole stylesheet."""
    parts = ["@layer ds.theme, ds.base, ds.components;", f"@layer ds.base{{{(source / 'base.css').read_text()}}}"]
    parts += [f"@layer ds.components{{{(source / f'{name}.css').read_text()}}}" for name in DESIGN_COMPONENTS]
    return "\n".join(parts)


def _theme(whole: str) -> str:
    """Returns Designsystemet's theme without UNUSED_THEME_LAYERS, with DARK_EDITS. Raises HouseError if it has other layers."""
    layers = dict(re.findall(r"@layer ([\w.-]+)(\{.*?\})(?=@layer|\s*$)", whole, re.DOTALL))
    found = layers.keys() >= {*UNUSED_THEME_LAYERS, DARK_LAYER}
    for pattern, text in DARK_EDITS if found else ():
        layers[DARK_LAYER], edited = re.subn(pattern, text, layers[DARK_LAYER])
        found = found and edited == 1
    if not found:
        raise HouseError("Designsystemet's theme has other layers than siths_portal/dev/toolchain.py expects", 1)
    return "\n".join(f"@layer {name}{body}" for name, body in layers.items() if name not in UNUSED_THEME_LAYERS)


INSTALL_STEPS = (
    Step("Debian packages", install_packages),
    Step("uv", install_uv),
    Step("Python packages", sync_packages),
    Step("npm packages", install_stylesheets),
)
