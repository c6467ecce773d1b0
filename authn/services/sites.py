"""The sites where people log in, each with its own sessions and limits (docs/adr/0347).

A person is a different subject on each site, so an ID administrator who opens Mina sidor keeps the portal's session. Every
process knows all sites, because any of them may run the sweeper that ends sessions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings

from siths_portal.lib.assurance import Level


@dataclass(frozen=True)
class Site:
    """A site. `prefixes` begin the references of its subjects; `face` is the SITHS_FACE of the process that serves it.

    `base_url` is its own address. `frame` is the template of the frame of its pages. `pages` are those of log-in, which extend
    the shared ones in `authn/` with the site's own texts. `by_hsa_id` means that a log-in chooses one of the person's
    assignments. `levels` are those of a log-in with a card's certificate; those at a provider are settings.
    """

    prefixes: tuple[str, ...]
    face: str
    base_url: str
    frame: str
    pages: Mapping[str, str]
    idle_seconds: int
    absolute_seconds: int
    sessions_per_subject: int
    by_hsa_id: bool = True
    levels: tuple[Level, ...] = (Level.LOA3,)


_PORTAL_PAGES = {
    "login": "portal/log_in/login.html",
    "logged_in": "authn/logged_in.html",
    "logged_out": "portal/log_in/logged_out.html",
    "refused": "portal/log_in/refused.html",
    "no_access": "portal/log_in/no_access.html",
    "settings": "portal/log_in/settings.html",
}
_MINASIDOR_PAGES = {
    "login": "minasidor/log_in/login.html",
    "logged_in": "authn/logged_in.html",
    "logged_out": "minasidor/log_in/logged_out.html",
    "refused": "minasidor/log_in/refused.html",
    "no_access": "minasidor/log_in/no_access.html",
    "settings": "minasidor/log_in/settings.html",
}


def all_sites() -> tuple[Site, ...]:
    """Returns every site with its addresses and limits from the settings."""
    return (
        Site(
            ("user:",),
            "portal",
            settings.PORTAL_BASE_URL,
            "portal/page.html",
            _PORTAL_PAGES,
            settings.SESSION_IDLE_SECONDS,
            settings.SESSION_ABSOLUTE_SECONDS,
            settings.SESSIONS_PER_SUBJECT,
        ),
        Site(
            ("holder:", "card:"),
            "minasidor",
            settings.MINASIDOR_BASE_URL,
            "minasidor/page.html",
            _MINASIDOR_PAGES,
            settings.MINASIDOR_SESSION_IDLE_SECONDS,
            settings.MINASIDOR_SESSION_ABSOLUTE_SECONDS,
            settings.MINASIDOR_SESSIONS_PER_SUBJECT,
            by_hsa_id=False,
            levels=tuple(Level),
        ),
    )


def here() -> Site:
    """Returns the site that this process serves. Raises LookupError if this process has no log-in."""
    for site in all_sites():
        if site.face == settings.FACE:
            return site
    raise LookupError("this process serves no site with log-in")


def site_of(subject_ref: str) -> Site:
    """Returns the site of a subject, or the portal if the reference is empty. Raises ValueError if no site has the prefix."""
    sites = all_sites()
    if not subject_ref:
        return sites[0]
    for site in sites:
        if subject_ref.startswith(site.prefixes):
            return site
    raise ValueError("no site has this kind of subject")


def is_here(subject_ref: str) -> bool:
    """True if the subject's site is the one that this process serves."""
    return any(site.face == settings.FACE and subject_ref.startswith(site.prefixes) for site in all_sites())


def base_url(face: str) -> str:
    """Returns the address of the site of this face, without a path. Raises KeyError if the face is no site."""
    return {site.face: site.base_url for site in all_sites()}[face]
