"""The environment with the file `portal.env`, and what settings of several subjects depend on: folders, the site, ports."""

import sys
from pathlib import Path

import environ

from siths_portal.lib.processes import table

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = Path(environ.Env().str("SITHS_VAR_DIR", default=str(BASE_DIR / "var")))

env = environ.Env()
environ.Env.read_env(VAR_DIR / "portal.env")

DEBUG = env.bool("DEBUG", default=False)
FACE = env.str("SITHS_FACE", default="portal")
_FACES = sorted(path.stem.removeprefix("urls_") for path in (Path(__file__).parent.parent / "wiring").glob("urls_*.py"))
if FACE not in _FACES:
    sys.stderr.write(f"SITHS_FACE is {FACE!r}. Use one of {', '.join(_FACES)}.\n")
    raise SystemExit(2)
PORT_BASE = env.int("PORT_BASE", default=8000)
PORTAL_WORKERS = env.int("PORTAL_WORKERS", default=table.DEFAULT_PORTAL_WORKERS)
# How many reverse proxies before this process append to X-Forwarded-For. With 0 the header is ignored: a client can send it.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)


def secret(name: str) -> str:
    """Returns the content of the file that the variable names, or "" (empty) if it is not set."""
    path = env.str(name, default="")
    return Path(path).read_text().strip() if path else ""
