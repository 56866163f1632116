from django.apps import AppConfig


class ConnectionsConfig(AppConfig):
    """Where scripts find other services, and what lets them in."""

    name = "wallaroo_ui.connections"
