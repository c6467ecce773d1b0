"""Roles, actors, scope and policy: the only package that decides what an actor sees and does. It imports no models."""

from issuance.authz import policy
from issuance.authz.actor import NOBODY, Actor, Grant, card, client, holder, system, user
from issuance.authz.roles import Action, Role
from issuance.authz.scope import ScopedQuerySet, ScopeRule

__all__ = [
    "NOBODY",
    "Action",
    "Actor",
    "Grant",
    "Role",
    "ScopeRule",
    "ScopedQuerySet",
    "card",
    "client",
    "holder",
    "policy",
    "system",
    "user",
]
