"""The database role of a process: each process has its own (ADR 0311). The settings module imports this before Django starts."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environ import Env

URLS = {
    "portal": "DATABASE_URL",
    "api": "DATABASE_API_URL",
    "pki": "DATABASE_PKI_URL",
    "worker": "DATABASE_WORKER_URL",
}
"""The environment variable with the database URL of each process."""


@dataclass(frozen=True)
class Connecting:
    """The database connection of this process. `purpose` is a key of URLS; `as_owner` means it connects as the tables' owner."""

    purpose: str
    as_owner: bool
    connection: dict[str, Any]
    owner_role: str
    roles: dict[str, str]


def read(env: Env, site: str) -> Connecting:
    """Reads the connection from the environment. Raises ImproperlyConfigured if SITHS_DATABASE_ROLE is not a key of URLS.

    A process without its own URL uses DATABASE_URL; outside development `checks` refuses this unless the role matches.
    """
    purpose = env.str("SITHS_DATABASE_ROLE", default="api" if site == "api" else "portal")
    if purpose not in URLS:
        raise ImproperlyConfigured(f"SITHS_DATABASE_ROLE is not one of {', '.join(URLS)}.")
    # `manage.py` sets this for `migrate`.
    as_owner = env.bool("SITHS_DATABASE_AS_OWNER", default=False) and bool(env.str("DATABASE_OWNER_URL", default=""))
    own = "DATABASE_OWNER_URL" if as_owner else URLS[purpose]
    return Connecting(
        purpose,
        as_owner,
        env.db_url(own if env.str(own, default="") else "DATABASE_URL", default="postgres://siths_app@localhost/siths"),
        env.str("DATABASE_OWNER_ROLE", default="siths_owner"),
        {
            "portal": env.str("DATABASE_APP_ROLE", default="siths_app"),
            "api": env.str("DATABASE_API_ROLE", default="siths_api"),
            "pki": env.str("DATABASE_PKI_ROLE", default="siths_pki"),
            "worker": env.str("DATABASE_WORKER_ROLE", default="siths_worker"),
        },
    )
