"""Static files: their addresses, each made once per process since a page has some twenty, and what production serves."""

from collections.abc import Mapping
from typing import Any, ClassVar

import tinycss2
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.files.base import ContentFile, File
from whitenoise.storage import CompressedManifestStaticFilesStorage


class _KeptAddresses:
    """A storage that keeps the URL of each file. `options` are those of the storage's own `url`."""

    options: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._addresses: dict[str | None, str] = {}

    def url(self, name: str | None) -> str:
        """Returns the URL of a static file."""
        if name not in self._addresses:
            self._addresses[name] = str(super().url(name, **self.options))  # type: ignore[misc]  # the storage's
        return self._addresses[name]


class PlainStaticFilesStorage(_KeptAddresses, StaticFilesStorage):
    """Files with their own names, as in the source tree."""


class HashedStaticFilesStorage(_KeptAddresses, CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # has no types
    """Compressed files with a hash of their content in the name, in development too.

    Django's own storage uses plain names while DEBUG is on. Style sheets are stored without their comments, which are a sixth of
    their compressed size.
    """

    options: ClassVar[Mapping[str, Any]] = {"force": True}

    def _save(self, name: str, content: "File[bytes]") -> str:
        if name.endswith(".css"):
            content.seek(0)
            content = ContentFile(without_comments(content.read().decode()).encode())
        return str(super()._save(name, content))


def without_comments(stylesheet: str) -> str:
    """Returns CSS without its comments."""
    if "/*" not in stylesheet:
        return stylesheet  # parsing takes far longer than reading
    return str(tinycss2.serialize(tinycss2.parse_component_value_list(stylesheet, skip_comments=True)))
