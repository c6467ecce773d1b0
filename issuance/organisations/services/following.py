"""What follows in other packages when an organisation changes its place; they register it, in the order in which it is done."""

from collections.abc import Callable

from issuance.authz import Actor
from issuance.organisations.models import Organisation
from siths_portal.lib.registry import Registry

type Follower = Callable[[Actor, Organisation], object]
"""Changes what depends on a locked organisation, in the caller's transaction."""

ON_LEAVING_AREA = Registry[Follower]()
"""What follows when an organisation, with those below it, goes to another area."""

ON_LEAVING_TOP = Registry[Follower]()
"""What follows when an organisation is no longer at the top of an area: it comes below another, or is closed."""
