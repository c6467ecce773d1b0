"""The states that a CA may change to once it has its certificate (rules/pki 1.2). The ceremony that creates it sets the first.

From `retired` a CA can only become `compromised`, and from that nothing: a new generation takes over.
"""

from collections.abc import Mapping

TRANSITIONS: Mapping[str, tuple[str, ...]] = {
    "planned": ("active", "retired", "compromised"),
    "active": ("status_only", "retired", "compromised"),
    "status_only": ("active", "retired", "compromised"),
    "offline": ("compromised",),
    "retired": ("compromised",),
    "external": (),
    "compromised": (),
}

WORKING = ("active", "status_only")
"""States between which a CA may change in both directions."""


def may_become(state: str, target: str) -> bool:
    """Whether a CA may change from one state to the other."""
    return target in TRANSITIONS.get(state, ())


def is_final_state(state: str) -> bool:
    """Whether a CA in this state can never work again."""
    return state not in WORKING and not any(may_become(state, each) for each in WORKING)
