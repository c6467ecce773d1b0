"""What other packages do when an organisation moves or is closed. They register functions, which run in that order."""

from collections.abc import Callable

from issuance.authz import Actor
from issuance.organisations.models import Organisation
from siths_portal.lib.registry import Registry

type Follower = Callable[[Actor, Organisation], object]
"""Changes what depends on a locked organisation, in the caller's transaction."""

ON_LEAVING_AREA = Registry[Follower]()
"""What happens when an organisation and those below it leave their area."""

ON_LEAVING_TOP = Registry[Follower]()
"""What happens when a top organisation moves below another or is closed."""
