from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest
from django.utils import timezone


class AccountsConfig(AppConfig):
    """People and how they log in."""

    name = "wallaroo_ui.accounts"

    def ready(self) -> None:
        """Write down each browser in which somebody logs in."""
        user_logged_in.connect(notice_login, dispatch_uid="notice_login")


def notice_login(request: HttpRequest, user: Any, **_: Any) -> None:
    """Let a person see this login on their page from now on."""
    from wallaroo_ui.accounts import sessions

    sessions.notice(request, user, at=timezone.now())
