"""The sites where people log in, each with its own sessions and limits (docs/adr/0347).

A person is a different subject on each site, so an ID administrator who opens Mina sidor keeps the portal's session. Every
process knows all sites, because any of them may run the sweeper that ends sessions.
"""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class Site:
    """A site. `prefix` begins the references of its subjects; `face` is the SITHS_FACE of the process that serves it."""

    prefix: str
    face: str
    idle_seconds: int
    absolute_seconds: int
    sessions_per_subject: int


def all_sites() -> tuple[Site, ...]:
    """Returns every site with its limits from the settings."""
    return (
        Site(
            "user:",
            "portal",
            settings.SESSION_IDLE_SECONDS,
            settings.SESSION_ABSOLUTE_SECONDS,
            settings.SESSIONS_PER_SUBJECT,
        ),
        Site(
            "holder:",
            "minasidor",
            settings.MINASIDOR_SESSION_IDLE_SECONDS,
            settings.MINASIDOR_SESSION_ABSOLUTE_SECONDS,
            settings.MINASIDOR_SESSIONS_PER_SUBJECT,
        ),
    )


def site_of(subject_ref: str) -> Site:
    """Returns the site of a subject, or the portal if the reference is empty. Raises ValueError if no site has the prefix."""
    sites = all_sites()
    if not subject_ref:
        return sites[0]
    for site in sites:
        if subject_ref.startswith(site.prefix):
            return site
    raise ValueError("no site has this kind of subject")


def is_here(subject_ref: str) -> bool:
    """True if the subject's site is the one that this process serves."""
    return any(site.face == settings.FACE and subject_ref.startswith(site.prefix) for site in all_sites())


def base_url(face: str) -> str:
    """Returns the address of the site of this face, without a path. Raises KeyError if the face is no site."""
    addresses: dict[str, str] = {"portal": settings.PORTAL_BASE_URL, "minasidor": settings.MINASIDOR_BASE_URL}
    return addresses[face]
