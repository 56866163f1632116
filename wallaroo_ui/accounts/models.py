"""People who use the server."""

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import models
from django.db.models.functions import Lower


class UserManager(DjangoUserManager["User"]):
    """Finds people by the names they type."""

    def by_login(self, login: str) -> "User | None":
        """Return the person whose user name or e-mail address `login` is.

        A user name wins over another person's e-mail address of the same spelling,
        so nobody can take over a login by choosing an address.
        """
        login = login.strip()
        return (
            self.filter(username=login).first()
            or self.filter(email__iexact=login).exclude(email="").first()
        )


class User(AbstractUser):
    """A person. Platform admins are Django's superusers.

    The id is a UUID, as the SDK's contract has it for users.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField("e-mail address")

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="user_email_unique",
                violation_error_message="Somebody has this e-mail address already.",
            )
        ]

    def __str__(self) -> str:
        return self.email or self.username

    @property
    def is_platform_admin(self) -> bool:
        """Tell whether this person sees and manages every workspace."""
        return self.is_active and self.is_superuser
