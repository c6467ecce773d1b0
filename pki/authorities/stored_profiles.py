"""Stored versions of profiles: the definition that each certificate was made from."""

from collections.abc import Iterable

from pki.domain.profiles import PROFILES
from pki.models import ProfileVersion
from siths_portal.lib import clock


class ProfileChanged(RuntimeError):
    """A profile's definition was changed in the code without a new version number."""


def versions(names: Iterable[str]) -> dict[str, ProfileVersion]:
    """Returns the stored row of each profile, creating new ones in the caller's transaction. Raises ProfileChanged."""
    # Always in the same order: each new row makes other transactions that insert it wait for this one.
    wanted = {name: PROFILES[name] for name in sorted(names)}
    hashes = {profile.sha256: name for name, profile in wanted.items()}
    found = {hashes[row.sha256]: row for row in ProfileVersion.objects.filter(sha256__in=hashes)}
    for name, profile in wanted.items():
        if name in found:
            continue
        ProfileVersion.objects.bulk_create(
            [
                ProfileVersion(
                    name=name,
                    version=profile.version,
                    sha256=profile.sha256,
                    definition=profile.definition(),
                    created_at=clock.now(),
                )
            ],
            ignore_conflicts=True,
        )
        stored = ProfileVersion.objects.filter(name=name, version=profile.version).first()
        if stored is None or stored.sha256 != profile.sha256:
            raise ProfileChanged(f"{name} v{profile.version}")
        found[name] = stored
    return found
