from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People and how they log in."""

    name = "wallaroo_ui.accounts"
