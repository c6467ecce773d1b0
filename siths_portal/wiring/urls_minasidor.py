"""Root urlconf of Mina sidor."""

from authn import urls as authn
from issuance.activation.api.v1 import urls as eidapp_v1
from issuance.minasidor.web import urls as minasidor
from issuance.mobile.api.v1 import urls as device_v1
from siths_portal.lib.http import csp
from siths_portal.lib.monitoring import health
from siths_portal.lib.pages import error_pages

handler400 = error_pages.bad_request
handler403 = error_pages.permission_denied
handler404 = error_pages.page_not_found
handler500 = error_pages.server_error

urlpatterns = [
    *health.urls(database=health.database),
    *csp.urls(),
    *authn.urlpatterns,
    *device_v1.beside(eidapp_v1.urlpatterns),
    *minasidor.urlpatterns,
]
