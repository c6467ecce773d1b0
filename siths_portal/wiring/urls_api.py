"""Root urlconf of the API service: APIs for machines, behind the mTLS proxy. All responses but health and YAML are JSON."""

from django.urls import re_path

from issuance.suppliers.api.v1 import urls as supplier_v1
from pki.clients.api.v1 import urls as pki_v1
from siths_portal.lib.monitoring import health
from siths_portal.lib.rest import problem

handler400 = problem.bad_request
handler403 = problem.forbidden
handler404 = problem.not_found
handler500 = problem.server_error

urlpatterns = [
    *health.urls(database=health.database),
    *supplier_v1.urlpatterns,
    *pki_v1.urlpatterns,
    re_path("", problem.not_found),
]
