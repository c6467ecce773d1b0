"""The database role of a process: each process has its own (ADR 0311). The settings module imports this before Django starts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environ import Env

from siths_portal.lib.processes.table import DATABASE_URLS, OWNER_URL


@dataclass(frozen=True)
class Connecting:
    """The database connection of this process.

    `purpose` is a key of DATABASE_URLS; `as_owner` means that it connects as the tables' owner.
    """

    purpose: str
    as_owner: bool
    connection: dict[str, Any]
    owner_role: str
    roles: dict[str, str]


def read(env: Env, site: str) -> Connecting:
    """Reads the connection from the environment. Raises ImproperlyConfigured for an unknown role or an unreadable password file.

    A process without its own URL uses DATABASE_URL; outside development `checks` refuses this unless the role matches.
    """
    purpose = env.str("SITHS_DATABASE_ROLE", default="api" if site == "api" else "portal")
    if purpose not in DATABASE_URLS:
        raise ImproperlyConfigured(f"SITHS_DATABASE_ROLE is not one of {', '.join(DATABASE_URLS)}.")
    # `manage.py` sets this for `migrate`.
    as_owner = env.bool("SITHS_DATABASE_AS_OWNER", default=False) and bool(env.str(OWNER_URL, default=""))
    own = OWNER_URL if as_owner else DATABASE_URLS[purpose]
    used = own if env.str(own, default="") else "DATABASE_URL"
    connection = env.db_url(used, default="postgres://siths_app@localhost/siths")
    return Connecting(
        purpose,
        as_owner,
        connection | _password(env, used.removesuffix("_URL") + "_PASSWORD_FILE"),
        env.str("DATABASE_OWNER_ROLE", default="siths_owner"),
        {
            "portal": env.str("DATABASE_APP_ROLE", default="siths_app"),
            "api": env.str("DATABASE_API_ROLE", default="siths_api"),
            "pki": env.str("DATABASE_PKI_ROLE", default="siths_pki"),
            "worker": env.str("DATABASE_WORKER_ROLE", default="siths_worker"),
        },
    )


def _password(env: Env, variable: str) -> dict[str, str]:
    """Returns the password of the file that the variable names, so that neither URL nor environment contains it."""
    path = env.str(variable, default="")
    if not path:
        return {}
    try:
        return {"PASSWORD": Path(path).read_text().strip()}
    except OSError as error:
        raise ImproperlyConfigured(f"{variable}: {error.strerror}.") from None
