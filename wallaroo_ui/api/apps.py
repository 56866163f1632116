from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The wire contract of the official SDK."""

    name = "wallaroo_ui.api"
