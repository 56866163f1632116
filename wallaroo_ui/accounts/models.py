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


class Scope(models.TextChoices):
    """How much of a person's rights a token carries; each one includes those before it."""

    READ = "read", "Read"  # Look at everything that the person may see.
    RUN = "run", "Run"  # Also upload, make tasks, run and stop.
    MANAGE = "manage", "Manage"  # Everything that the person may do.

    def allows(self, needed: "Scope") -> bool:
        """Tell whether a token of this scope will do where `needed` is asked for."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


class User(AbstractUser):
    """A person. Platform admins are Django's superusers.

    The id is a UUID, as the SDK's contract has it for users.

    Attributes:
        confined_to: the id of the one workspace in which a platform admin acts as such:
            set for this request alone, where a run acts for them. Strangers' code that an
            admin has started must not look after the whole server.
    """

    confined_to: int | None = None

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
        return self.is_active and self.is_superuser and self.confined_to is None
