"""Addresses of static files, each made once per process: a page has some twenty."""

from typing import Any

from django.contrib.staticfiles.storage import StaticFilesStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class PlainStaticFilesStorage(StaticFilesStorage):
    """Files with their own names, as in the source tree."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._addresses: dict[str | None, str] = {}

    def url(self, name: str | None) -> str:
        """Returns the URL of a static file."""
        if name not in self._addresses:
            self._addresses[name] = super().url(name)
        return self._addresses[name]


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Compressed files with hashed names, in development too: Django's own storage uses plain names while DEBUG is on."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._addresses: dict[str | None, str] = {}

    def url(self, name: str | None, force: bool = False) -> str:
        """Returns the URL of a static file, with a hash of its content in the name."""
        if name not in self._addresses:
            self._addresses[name] = str(super().url(name, force=True))
        return self._addresses[name]
