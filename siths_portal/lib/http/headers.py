"""Response headers that Django's own middleware does not set. Outermost in the chain, so that error answers carry them too."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

# Nothing of the browser's hardware or sensors is used; what a page may do, it must be given here.
_FEATURES = """
    accelerometer autoplay camera display-capture encrypted-media fullscreen geolocation gyroscope hid idle-detection magnetometer
    microphone midi payment picture-in-picture publickey-credentials-get screen-wake-lock serial usb xr-spatial-tracking
"""
PERMISSIONS_POLICY = ", ".join(f"{feature}=()" for feature in _FEATURES.split())


class SecurityHeadersMiddleware:
    """Permissions-Policy everywhere; on faces with people's pages also no-store (S20) and CORP (S18) unless the view chose."""

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
