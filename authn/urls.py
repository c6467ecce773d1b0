"""URLs of log-in and sessions on the portal and Mina sidor (rules/authn 1, 2)."""

from django.urls import path

from authn.web import login, own_sessions

urlpatterns = [
    path("logga-in/", login.login, name="login"),
    path("logga-in/svar/", login.callback, name="login_callback"),
    path("logga-in/kort/", login.card_callback, name="login_card_callback"),
    path("logga-in/uppdrag/", login.choose_post, name="login_post"),
    path("logga-in/tid/", own_sessions.session_state, name="session_state"),
    path("logga-in/fortsatt/", own_sessions.session_continue, name="session_continue"),
    path("logga-in/uppladdning/", own_sessions.upload_session, name="upload_session"),
    path("logga-ut/", login.logout, name="logout"),
    path("installningar/", own_sessions.own_settings, name="settings"),
]
