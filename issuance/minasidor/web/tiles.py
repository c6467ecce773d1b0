"""The tiles of the start page: what a holder can do, each with its page. Packages with more to do register theirs."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from issuance.minasidor.domain import MyFunction, offers
from siths_portal.lib.registry import Registry


@dataclass(frozen=True)
class Tile:
    """An act on the start page. `function` says which log-ins have it; None is everybody. Those that have the function `unless`
    have a better tile. `order` sorts the tiles.
    """

    url_name: str
    text: Promise
    icon: str
    function: MyFunction | None
    order: int
    danger: bool = False
    anchor: str = ""
    unless: MyFunction | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return reverse(self.url_name) + self.anchor


TILES = Registry[Tile](key=lambda tile: tile.text, order=lambda tile: tile.order)
TILES.register(
    Tile("my_revocations", _("Spärra något jag har tappat"), "ban", MyFunction.REVOKE, 10, danger=True),
    Tile("my_mobile", _("Skaffa eller hantera Mobilt SITHS"), "phone", MyFunction.MOBILE, 12),
    Tile("my_unlockings", _("Lås upp ett kort eller byt glömd kod"), "unlock", MyFunction.UNLOCK, 15),
    Tile("my_tests", _("Testa mitt SITHS eID"), "tick", MyFunction.TEST, 40),
    Tile("help", _("Jag har glömt koden"), "key", None, 20, anchor="#koden", unless=MyFunction.UNLOCK),
)


def tiles_of(means: str) -> list[Tile]:
    """Returns the tiles for a session that began with these means."""
    shown = [tile for tile in TILES if tile.function is None or offers(means, tile.function)]
    return [tile for tile in shown if tile.unless is None or not offers(means, tile.unless)]
