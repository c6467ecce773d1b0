"""What an organisation still lacks before cards can be ordered in it."""

from uuid import UUID

from django.db.models import Q

from issuance.authz import Role
from issuance.authz.roles import ALLOWED, ISSUING, ORGANISATION_ROLES
from issuance.models import Organisation, OrganisationArticle, RoleGrant
from issuance.queries.administration.places import paths_above
from issuance.services.actors import in_force

_CLERKS = [role.value for role in Role if role in ORGANISATION_ROLES and ALLOWED[role] & ISSUING]


def has_articles(organisation_id: UUID) -> bool:
    """Whether some article may be ordered in it."""
    return OrganisationArticle.objects.filter(organisation=organisation_id, orderable=True).exists()


def has_clerks(organisation_id: UUID) -> bool:
    """Whether somebody below the issuer may order cards in it: by a role in it, or in an organisation above."""
    path = Organisation.objects.values_list("scope_path", flat=True).get(pk=organisation_id)
    reach = Q(organisation__scope_path__in=[path, *paths_above(path)])
    return in_force(RoleGrant.objects.filter(reach, role__in=_CLERKS)).exists()
