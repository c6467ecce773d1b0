"""Who sends a request: the person who logged in, or nobody. `authn` knows no roles (rules/authn 1.4)."""

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID


@dataclass(frozen=True)
class Subject:
    """Whom a log-in means, by `ports.SubjectDirectory`. `subject_ref` is what event tables call the person."""

    subject_ref: str
    hsa_id: str
    display_name: str
    unit_name: str


@dataclass(frozen=True)
class Principal:
    """The person whose session a request belongs to. `session_id` stays the same through a step-up, the cookie does not."""

    subject_ref: str
    hsa_id: str
    display_name: str
    unit_name: str
    session_id: UUID
    authenticated_at: dt.datetime
    is_authenticated: ClassVar[bool] = True


@dataclass(frozen=True)
class Anonymous:
    """Nobody is logged in. `ended` says why the browser's last session ended, empty if it had none."""

    ended: str = ""
    subject_ref: str = ""
    hsa_id: str = ""
    display_name: str = ""
    unit_name: str = ""
    session_id: None = None
    authenticated_at: None = None
    is_authenticated: ClassVar[bool] = False
