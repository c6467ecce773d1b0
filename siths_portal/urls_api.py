"""Root urlconf of the api face."""

from siths_portal.lib import health

urlpatterns = [*health.urls(database=health.database)]
