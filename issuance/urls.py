"""Addresses of the issuing pages on the portal, room by room."""

from issuance.web.activation.urls import urlpatterns as activation
from issuance.web.administration.import_urls import urlpatterns as imports
from issuance.web.administration.role_urls import urlpatterns as roles
from issuance.web.administration.urls import urlpatterns as administration
from issuance.web.ordering.urls import urlpatterns as ordering
from issuance.web.person.urls import urlpatterns as person
from issuance.web.pki.urls import urlpatterns as pki
from issuance.web.revocation.urls import urlpatterns as revocation
from issuance.web.search.urls import urlpatterns as search

urlpatterns = [*search, *person, *ordering, *activation, *revocation, *administration, *roles, *imports, *pki]
