"""How a person proves who they are."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from wallaroo_ui.accounts.models import User


class EmailOrUsernameBackend(ModelBackend):
    """Takes the user name or the e-mail address, with the password."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the person, or None where name or password are wrong."""
        login = username or kwargs.get(User.USERNAME_FIELD)
        if not login or password is None:
            return None
        user = User.objects.by_login(login)
        if user is None:
            # Hashing takes as long as for a known name, so that time tells nothing.
            User().set_password(password)
            return None
        if user.check_password(password) and self.user_can_authenticate(user):
            return user
        return None
