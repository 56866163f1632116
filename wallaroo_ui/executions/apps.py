from django.apps import AppConfig


class ExecutionsConfig(AppConfig):
    """Supervised processes: their life, logs and sandbox, and the nodes they run on."""

    name = "wallaroo_ui.executions"
