"""Addresses of the issuing pages on the portal, room by room."""

from issuance.activation.web.urls import urlpatterns as activation
from issuance.administration.web.urls import urlpatterns as administration
from issuance.imports.web.urls import urlpatterns as imports
from issuance.operators.web.urls import urlpatterns as pki
from issuance.orders.web.urls import urlpatterns as ordering
from issuance.person_page.web.urls import urlpatterns as person
from issuance.revocation.web.urls import urlpatterns as revocation
from issuance.roles.web.urls import urlpatterns as roles
from issuance.search.web.urls import urlpatterns as search

urlpatterns = [*search, *person, *ordering, *activation, *revocation, *administration, *roles, *imports, *pki]
