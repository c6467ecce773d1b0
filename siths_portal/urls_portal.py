"""Root urlconf of the portal face."""

from siths_portal.lib import health

urlpatterns = [*health.urls(database=health.database)]
