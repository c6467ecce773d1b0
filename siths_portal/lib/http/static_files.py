"""Static files with a hash of their content in the name."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Compressed files with hashed names, in development too: Django's own storage uses plain names while DEBUG is on."""

    def url(self, name: str | None, force: bool = False) -> str:
        """Returns the URL of a static file, with the hash in its name."""
        return str(super().url(name, force=True))
