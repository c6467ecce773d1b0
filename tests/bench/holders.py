"""The load client of `bench_portal_holders`: holders on Mina sidor, as one cheap process. Commands: see `clerks`."""

import sys
from pathlib import Path

from tests.bench import clerks
from tests.bench.clerks import Clerk, Errands

PAGES = {
    "tests": "/testa/",
    "unlocking": "/las-upp/",
    "mobile eIDs": "/mobilt/",
    "settings": "/installningar/",
    "help": "/hjalp/",
}


def start(holder: Clerk) -> None:
    """What every visit begins with."""
    holder.get("start", "/")
    holder.think()


def look(holder: Clerk) -> None:
    """A card, and what is on it."""
    start(holder)
    holder.get("card", f"/kort/{holder.somebody('carriers')['id']}/")
    holder.think()


def looked(holder: Clerk) -> None:
    """Who has looked at me?"""
    start(holder)
    holder.get("who looked", "/vem-har-tittat/")
    holder.think()


def manage(holder: Clerk) -> None:
    """What can be tested and unlocked, mobile eIDs, the holder's sessions, and help."""
    start(holder)
    for page, path in PAGES.items():
        holder.get(page, path)
        holder.think()


def revoke(holder: Clerk) -> None:
    """A lost card is revoked. Whoever has no card left looks at what there is."""
    if not holder.plan["revocations"]:
        look(holder)
        return
    start(holder)
    holder.get("revocation: choice", "/sparra/")
    holder.think()
    form = f"/sparra/kort/{holder.plan['revocations'].pop()['id']}/"
    holder.get("revocation: form", form)
    holder.think()
    fields = {"reason": "lost_or_stolen"}
    holder.change("revocation: consequences", form, {**fields, "fortsatt": "1"})
    holder.think()
    holder.get("revoked", holder.post("revocation: confirm", form, {**fields, "bekrafta": "1"}))
    holder.think()


DAYS: dict[str, Errands] = {"holder": ((55, look), (20, looked), (20, manage), (5, revoke))}
"""Errands with how often each comes; assumed. A revocation is as rare as the cards that the plan gives for it."""


if __name__ == "__main__":
    clerks.main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), DAYS)
