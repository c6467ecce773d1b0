"""Root urlconf of the API service: APIs for machines, behind the mTLS proxy. Responses are JSON, but for health, the OpenAPI
files and the pages made from them.
"""

from pathlib import Path

from django.urls import re_path

from issuance.suppliers.api.v1 import urls as supplier_v1
from pki.clients.api.v1 import urls as pki_v1
from siths_portal.lib.monitoring import health
from siths_portal.lib.rest import description_pages, problem

handler400 = problem.bad_request
handler403 = problem.forbidden
handler404 = problem.not_found
handler500 = problem.server_error

_VERSIONS = {"supplier": supplier_v1, "pki": pki_v1}
_DESCRIPTIONS = {api: Path(str(urls.__file__)).with_name("openapi.yaml") for api, urls in _VERSIONS.items()}

urlpatterns = [
    *health.urls(database=health.database),
    *supplier_v1.urlpatterns,
    *pki_v1.urlpatterns,
    *description_pages.urls("api/docs/", _DESCRIPTIONS),
    re_path("", problem.not_found),
]
