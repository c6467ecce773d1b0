"""The sender of a request: a logged-in person or an anonymous visitor. `authn` does not know roles (rules/authn 1.4)."""

import datetime as dt
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from siths_portal.lib.assurance import Level


@dataclass(frozen=True)
class Credential:
    """What was used to log in: its level, and the card's serial number if the identity provider says it."""

    level: Level
    card_serial: str = ""


@dataclass(frozen=True)
class Subject:
    """Who logs in, as `ports.SubjectDirectory` returns them. Event tables refer to the person or card by `subject_ref`.

    `means` says what they logged in with, in the words of the directory, which decides what the session may do. `credential_ref`
    refers to the very card or device, if the directory knows it. Both are empty where they make no difference.
    """

    subject_ref: str
    hsa_id: str
    display_name: str
    unit_name: str
    means: str = ""
    credential_ref: str = ""


@dataclass(frozen=True)
class Principal:
    """The logged-in person or card of a request. A step-up keeps `session_id` and replaces the cookie."""

    subject_ref: str
    hsa_id: str
    display_name: str
    unit_name: str
    session_id: UUID
    authenticated_at: dt.datetime
    means: str = ""
    credential_ref: str = ""
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
    means: str = ""
    credential_ref: str = ""
    is_authenticated: ClassVar[bool] = False
