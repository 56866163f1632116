from django.apps import AppConfig


class OrchestrationsConfig(AppConfig):
    """Uploaded archives of code and the environments they run in."""

    name = "orchestrations"
