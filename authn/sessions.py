"""Django's session engine over `authn.models.Session` (setting SESSION_ENGINE). Only the hash of the cookie's key is stored."""

import datetime as dt
from typing import Any

from django.contrib.sessions.backends.base import SessionBase, UpdateError

from authn.models import Session
from authn.services import sessions
from siths_portal.lib import clock

_ANONYMOUS_LIFETIME = dt.timedelta(hours=1)  # longer than a log-in may take


class SessionStore(SessionBase):
    """A browser's session. With the key of an unknown or ended session it is empty and gets no key from the browser (S01)."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._read: tuple[str | None, Session | None] | None = None

    @property
    def row(self) -> Session | None:
        """The row of the key, live or ended, or None. Read once."""
        if self._read is None:
            self._read = (self.session_key, sessions.find(self.session_key) if self.session_key else None)
        return self._read[1]

    @property
    def was_read(self) -> bool:
        """Whether this request has read the session."""
        return self._read is not None

    @property
    def live_row(self) -> Session | None:
        """The row if the session can be used now."""
        row = self.row
        return row if row is not None and not sessions.why_ended(row) else None

    def adopt(self, row: Session, key: str) -> None:
        """Continues with `row` and its new key, after a log-in or a step-up."""
        self._session_key = key
        self._read = (key, row)
        self._session_cache = self.decode(row.data) if row.data else {}
        self.modified = True

    def load(self) -> dict[str, Any]:
        """Returns the content of a usable session. Otherwise returns {} and drops the key."""
        row = self.live_row
        if row is None:
            self._session_key = None
            return {}
        return dict(self.decode(row.data)) if row.data else {}

    def _content(self, *, no_load: bool) -> dict[str, Any]:
        content: dict[str, Any] = self._get_session(no_load=no_load)  # type: ignore[attr-defined]
        return content

    def exists(self, session_key: str) -> bool:
        """Returns whether a session has this key."""
        return sessions.find(session_key) is not None

    def create(self) -> None:
        """Creates a new anonymous session."""
        self.open()

    def open(self) -> Session:
        """Creates an anonymous session with a new key and returns its row. `services.sessions.start` begins those of people."""
        now = clock.now()
        key = sessions.new_key()
        row = Session.objects.create(
            key_hash=sessions.key_hash(key),
            data=self.encode(self._content(no_load=True)),
            created_at=now,
            last_seen_at=now,
            expires_at=now + _ANONYMOUS_LIFETIME,
        )
        self._session_key = key
        self._read = (key, row)
        self.modified = True
        return row

    def save(self, must_create: bool = False) -> None:
        """Writes the content. Raises UpdateError if the session has ended in the meantime."""
        content = self._content(no_load=must_create)
        if self.session_key is None or must_create:
            self.create()
            return
        written = Session.objects.filter(key_hash=sessions.key_hash(self.session_key), ended_at=None)
        if not written.update(data=self.encode(content)):
            raise UpdateError

    def persist(self) -> None:
        """Does the same as `save`, for the middleware."""
        self.save()

    def delete(self, session_key: str | None = None) -> None:
        """Deletes an anonymous session. Keeps a person's, which only `services.sessions.end` ends, with an event."""
        key = session_key or self.session_key
        if key:
            Session.objects.filter(key_hash=sessions.key_hash(key), subject_ref="").delete()

    @classmethod
    def clear_expired(cls) -> None:
        """Ends sessions past a time limit and deletes old ones (`services.sessions.sweep`)."""
        sessions.sweep()
