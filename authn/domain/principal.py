"""The sender of a request: a logged-in person or an anonymous visitor. `authn` does not know roles (rules/authn 1.4)."""

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID


@dataclass(frozen=True)
class Subject:
    """The person who logs in, as `ports.SubjectDirectory` returns them. Event tables refer to the person by `subject_ref`."""

    subject_ref: str
    hsa_id: str
    display_name: str
    unit_name: str


@dataclass(frozen=True)
class Principal:
    """The logged-in person of a request. A step-up keeps `session_id` and replaces the cookie."""

    subject_ref: str
    hsa_id: str
    display_name: str
    unit_name: str
    session_id: UUID
    authenticated_at: dt.datetime
    is_authenticated: ClassVar[bool] = True


@dataclass(frozen=True)
class Anonymous:
    """A visitor who is not logged in. `ended` is the reason why the browser's last session ended, or ""."""

    ended: str = ""
    subject_ref: str = ""
    hsa_id: str = ""
    display_name: str = ""
    unit_name: str = ""
    session_id: None = None
    authenticated_at: None = None
    is_authenticated: ClassVar[bool] = False
