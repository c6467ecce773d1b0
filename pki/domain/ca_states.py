"""Which states a CA may go through once it has its certificate (rules/pki 1.2). The ceremony that makes it sets the first one.

There is no way back from `retired` but to `compromised`, and none from that: a new generation takes over.
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
"""States between which a CA may go to and fro."""


def may_become(state: str, target: str) -> bool:
    """Whether a CA may go from one state to the other."""
    return target in TRANSITIONS.get(state, ())


def is_final_state(state: str) -> bool:
    """Whether a CA that is given this state can never be given a working one again."""
    return state not in WORKING and not any(may_become(state, each) for each in WORKING)
