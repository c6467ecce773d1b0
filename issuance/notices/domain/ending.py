"""When an eID `e` ends, or a carrier `c` that is one, as SQL."""

from siths_portal.lib.database.days import last_day_of

LAST_DAY = last_day_of("e.valid_to")
"""The last day of the eID."""

CARRIER_LAST_DAY = last_day_of("c.valid_to")
"""The last day of the carrier."""

NO_LATER_EID = """NOT EXISTS (
    SELECT FROM issuance_eid l WHERE l.post_id = e.post_id AND l.state = 'active' AND l.valid_to > e.valid_to
)"""
"""True without another eID of the same assignment that ends later, such as the renewal."""
