"""As whom a process connects to the database: each has its own role (ADR 0311). Read by the settings, before Django is up."""

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
"""The variable that holds each process's URL."""


@dataclass(frozen=True)
class Connecting:
    """Which process this is, whether it connects as the owner of the tables instead, and what each role is called."""

    purpose: str
    as_owner: bool
    connection: dict[str, Any]
    owner_role: str
    roles: dict[str, str]


def read(env: Env, site: str) -> Connecting:
    """Returns what the environment says. Raises ImproperlyConfigured for a process that there is not.

    A process whose own URL is empty uses DATABASE_URL; `checks` refuses it outside development unless the role fits.
    """
    purpose = env.str("SITHS_DATABASE_ROLE", default="api" if site == "api" else "portal")
    if purpose not in URLS:
        raise ImproperlyConfigured(f"SITHS_DATABASE_ROLE is not one of {', '.join(URLS)}.")
    # `manage.py` says so for `migrate`.
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
