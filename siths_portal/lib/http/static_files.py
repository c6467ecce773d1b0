"""Static files with a hash of their content in the name."""

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Compressed files with hashed names, in development too: Django's own storage uses plain names while DEBUG is on."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._addresses: dict[str | None, str] = {}

    def url(self, name: str | None, force: bool = False) -> str:
        """Returns the URL of a static file, with the hash in its name. Looks each name up once: a page has some twenty."""
        if name not in self._addresses:
            self._addresses[name] = str(super().url(name, force=True))
        return self._addresses[name]
