"""Django's session engine over `authn.models.Session` (setting SESSION_ENGINE). Of the cookie's key only the hash is stored."""

import datetime as dt
from typing import Any

from django.contrib.sessions.backends.base import SessionBase, UpdateError

from authn.models import Session
from authn.services import sessions
from siths_portal.lib import clock

_NOBODYS = dt.timedelta(hours=1)  # how long a session without a person lives: as long as a log-in may take


class SessionStore(SessionBase):
    """A browser's session. The key of an unknown or ended one gives an empty one and is not taken over (S01)."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._asked: tuple[str | None, Session | None] | None = None

    @property
    def row(self) -> Session | None:
        """The row of the key, ended or not; read once."""
        if self._asked is None:
            self._asked = (self.session_key, sessions.find(self.session_key) if self.session_key else None)
        return self._asked[1]

    @property
    def was_read(self) -> bool:
        """Whether this request asked for the session at all."""
        return self._asked is not None

    @property
    def live_row(self) -> Session | None:
        """The row if the session can be used now."""
        row = self.row
        return row if row is not None and not sessions.why_ended(row) else None

    def adopt(self, row: Session, key: str) -> None:
        """Goes on as `row` under its new key: after a log-in or a step-up."""
        self._session_key = key
        self._asked = (key, row)
        self._session_cache = self.decode(row.data) if row.data else {}
        self.modified = True

    def load(self) -> dict[str, Any]:
        """The content of a usable session; else nothing, and no key."""
        row = self.live_row
        if row is None:
            self._session_key = None
            return {}
        return dict(self.decode(row.data)) if row.data else {}

    def _content(self, *, no_load: bool) -> dict[str, Any]:
        content: dict[str, Any] = self._get_session(no_load=no_load)  # type: ignore[attr-defined]
        return content

    def exists(self, session_key: str) -> bool:
        """Whether some session has the key."""
        return sessions.find(session_key) is not None

    def create(self) -> None:
        """A new session of nobody."""
        self.open()

    def open(self) -> Session:
        """A new session of nobody, under a key of our own; its row. People's are begun by `services.sessions.start`."""
        now = clock.now()
        key = sessions.new_key()
        row = Session.objects.create(
            key_hash=sessions.key_hash(key),
            data=self.encode(self._content(no_load=True)),
            created_at=now,
            last_seen_at=now,
            expires_at=now + _NOBODYS,
        )
        self._session_key = key
        self._asked = (key, row)
        self.modified = True
        return row

    def save(self, must_create: bool = False) -> None:
        """Writes the content. UpdateError if the session ended meanwhile."""
        content = self._content(no_load=must_create)
        if self.session_key is None or must_create:
            self.create()
            return
        written = Session.objects.filter(key_hash=sessions.key_hash(self.session_key), ended_at=None)
        if not written.update(data=self.encode(content)):
            raise UpdateError

    def persist(self) -> None:
        """`save`, by the name that the middleware calls it by. UpdateError if the session ended meanwhile."""
        self.save()

    def delete(self, session_key: str | None = None) -> None:
        """Removes a session of nobody; a person's is ended by `services.sessions.end`, which records it."""
        key = session_key or self.session_key
        if key:
            Session.objects.filter(key_hash=sessions.key_hash(key), subject_ref="").delete()

    @classmethod
    def clear_expired(cls) -> None:
        """Ends and removes what is over."""
        sessions.sweep()
