"""Cards from before the portal, for tests."""

import datetime as dt
import itertools
import secrets

from issuance.carriers.domain.kinds import CARD_PROFILES
from issuance.imports.services.migration import MigratedCard
from issuance.people.models.persons import Post
from siths_portal.lib import clock

CA = "demo-bulk"
_SERIALS = itertools.count(1)


def migrated_card(post: Post, **changes: object) -> MigratedCard:
    """A card that was activated a hundred days ago; `changes` are fields."""
    made = clock.now() - dt.timedelta(days=114)
    values = {
        "post_id": post.id, "article_code": "631", "card_serial": f"9753{next(_SERIALS):015}", "valid_from": made,
        "valid_to": made + dt.timedelta(days=1500), "eid_valid_from": made, "eid_valid_to": made + dt.timedelta(days=700),
        "activated_at": made + dt.timedelta(days=14),
        "certificate_serials": {profile: "01" + secrets.token_hex(15) for profile in CARD_PROFILES},
    }  # fmt: skip
    return MigratedCard(**{**values, **changes})  # type: ignore[arg-type]
