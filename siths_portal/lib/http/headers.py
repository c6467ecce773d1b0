"""Response headers that Django's middleware does not set. This middleware is outermost, so that errors have them too."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

# The browser features that all pages are denied. No page uses hardware or sensors.
_FEATURES = """
    accelerometer autoplay camera display-capture encrypted-media fullscreen geolocation gyroscope hid idle-detection magnetometer
    microphone midi payment picture-in-picture publickey-credentials-get screen-wake-lock serial usb xr-spatial-tracking
"""
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in _FEATURES.split())


class SecurityHeadersMiddleware:
    """Adds Permissions-Policy, and except on the status service no-store (S20) and CORP (S18), unless the view has set them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        response = self.get_response(request)
        response.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        if settings.FACE != "status":
            response.setdefault("Cache-Control", "no-store")
            response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response
