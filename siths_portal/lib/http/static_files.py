"""Static files: their addresses, each made once per process since a page has some twenty, and what production serves."""

from typing import Any

import tinycss2
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.files.base import ContentFile, File
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
    """Compressed files with hashed names, in development too: Django's own storage uses plain names while DEBUG is on.

    Style sheets are stored without their comments, which are a sixth of their compressed size.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._addresses: dict[str | None, str] = {}

    def url(self, name: str | None, force: bool = False) -> str:
        """Returns the URL of a static file, with a hash of its content in the name."""
        if name not in self._addresses:
            self._addresses[name] = str(super().url(name, force=True))
        return self._addresses[name]

    def _save(self, name: str, content: "File[bytes]") -> str:
        if name.endswith(".css"):
            content.seek(0)
            content = ContentFile(without_comments(content.read().decode()).encode())
        return str(super()._save(name, content))


def without_comments(stylesheet: str) -> str:
    """Returns CSS without its comments."""
    return str(tinycss2.serialize(tinycss2.parse_component_value_list(stylesheet, skip_comments=True)))
