"""People who use the server, and what proves to its API who they are."""

import hashlib
import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.db.models import Q, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Exact

from wallaroo_ui.accounts.user_agents import device_words
from wallaroo_ui.time_zones import validate_time_zone


def has_email(address: str) -> Exact:
    """Return the condition that an e-mail address is this one, whatever its case.

    As the unique indexes have it. `iexact` compares capitals on PostgreSQL, where a long s
    becomes the S of somebody else's address.
    """
    return Exact(Lower("email"), Lower(Value(address)))


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
            or self.filter(has_email(login)).exclude(email="").first()
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


class Theme(models.TextChoices):
    """In which colours a person sees the pages."""

    SYSTEM = "system", "As the system"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class User(AbstractUser):
    """A person. Platform admins are Django's superusers.

    The id is a UUID, as the SDK's contract has it for users.

    Attributes:
        time_zone: the IANA zone in which times on pages are meant; empty for the browser's.
        confined_to: the id of the one workspace in which a platform admin acts as such:
            set for this request alone, where a run acts for them. Strangers' code that an
            admin has started must not look after the whole server.
    """

    confined_to: int | None = None
    _password: str | None

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField("e-mail address")
    theme = models.CharField(max_length=8, choices=Theme, default=Theme.SYSTEM)
    time_zone = models.CharField(max_length=64, blank=True, validators=[validate_time_zone])

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

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new password, or none, or the end of the account, ends every login.

        A browser that changed it goes on: Django gives it a new session afterwards.
        """
        # Django keeps the text for hooks such as this; not so where it only renews the hash.
        has_new_password = self._password is not None
        # An administrator who takes the password away leaves no such text.
        has_no_password = not self.has_usable_password()
        with transaction.atomic():
            super().save(*args, **kwargs)
            if has_new_password or has_no_password or not self.is_active:
                self.refresh_tokens.all().delete()
                self.device_authorizations.all().delete()
                BrowserSession.objects.filter(user=self).end()

    @property
    def is_platform_admin(self) -> bool:
        """Tell whether this person sees and manages every workspace."""
        return self.is_active and self.is_superuser and self.confined_to is None


def digest(text: str) -> str:
    """Return what is kept of a secret. It is random and long, so a plain hash will do."""
    return hashlib.sha256(text.encode()).hexdigest()


class SecretQuerySet(models.QuerySet[Any]):
    """Questions about secrets."""

    def valid(self, *, at: datetime) -> Self:
        """Return those that still prove who calls."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=at), user__is_active=True)

    def newest_first(self) -> Self:
        """Return them in the order in which people look for them."""
        return self.order_by("-created_at", "-pk")


class Secret(models.Model):
    """A random text that proves who calls. Only its hash is kept, so nobody can read it here.

    Attributes:
        PREFIX: what every text of the kind begins with: people and scanners know it by that.
    """

    PREFIX: ClassVar[str]
    # Looking often costs nothing; writing down each look would.
    NOTICED_EVERY = timedelta(minutes=1)

    hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar = SecretQuerySet.as_manager()

    class Meta:
        abstract = True

    @classmethod
    def new_text(cls) -> str:
        """Return a text that nobody can guess."""
        return cls.PREFIX + secrets.token_urlsafe(32)

    def is_use_news(self, *, at: datetime) -> bool:
        """Tell whether a use at `at` is worth writing down."""
        return self.last_used_at is None or at - self.last_used_at >= self.NOTICED_EVERY


class RefreshToken(Secret):
    """A login of the SDK: good for new access tokens, again and again.

    It is not replaced when it is used: the notebooks of a person share one.
    """

    PREFIX = "wallaroo_refresh_"
    LIFETIME = timedelta(days=30)  # Since it was last used.

    user = models.ForeignKey(User, models.CASCADE, related_name="refresh_tokens")
    user_agent = models.CharField(max_length=255, blank=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "login of the SDK"
        verbose_name_plural = "logins of the SDK"

    def __str__(self) -> str:
        return f"{self.user}, {self.user_agent or 'an unknown program'}"


class ApiToken(Secret):
    """A token that a person made for a script of theirs, with a part of their rights."""

    PREFIX = "wallaroo_api_"

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=8, choices=Scope)
    start = models.CharField(max_length=24, help_text="Its first characters, to know it by.")
    expires_at = models.DateTimeField(null=True, blank=True, db_index=True)

    class Meta:
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"


class DeviceAuthorization(models.Model):
    """A program that asks to act for a person, and what the person said.

    The program keeps a secret, the device code; the person compares a short one, the
    user code.
    """

    LIFETIME = timedelta(minutes=10)
    INTERVAL = timedelta(seconds=5)
    TOLERANCE = timedelta(seconds=1)  # Networks are not punctual.

    class Status(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", "Waiting"  # Nobody has said anything yet.
        APPROVED = "approved", "Approved"  # The program may fetch its tokens, once.
        DENIED = "denied", "Denied"  # The program will be told so.
        USED = "used", "Used"  # The program has its tokens.

    device_hash = models.CharField(max_length=64, unique=True)
    user_code = models.CharField(max_length=8, unique=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    user = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="device_authorizations"
    )
    address = models.GenericIPAddressField(null=True, blank=True)
    user_agent = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    polled_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.shown_code

    @property
    def shown_code(self) -> str:
        """The user code as people read it: in two halves."""
        return f"{self.user_code[:4]}-{self.user_code[4:]}"

    def is_expired(self, *, at: datetime) -> bool:
        """Tell whether its time is over."""
        return self.expires_at <= at

    def is_polled_early(self, *, at: datetime) -> bool:
        """Tell whether the program asks more often than it was told to."""
        return self.polled_at is not None and at - self.polled_at < self.INTERVAL - self.TOLERANCE


class BrowserSessionQuerySet(models.QuerySet["BrowserSession"]):
    """Questions about browser sessions."""

    def open(self, *, at: datetime) -> Self:
        """Return those in which somebody is logged in, the last seen first."""
        return self.filter(session__expire_date__gt=at).order_by("-last_seen_at", "-pk")

    def end(self) -> int:
        """Log these browsers out. Return how many there were."""
        keys = list(self.values_list("session", flat=True))
        Session.objects.filter(pk__in=keys).delete()
        return len(keys)


class BrowserSession(models.Model):
    """Whose browser a session of Django's is, and when it was last seen.

    Django's own table says neither without decoding every row. The link goes by its key, which
    that table holds in the clear: a hash beside it would hide nothing, and would have to be
    cleaned up on its own. So this row goes whenever the session does.
    """

    SEEN_EVERY = timedelta(minutes=5)  # Writing down each request would cost more than it tells.

    session = models.OneToOneField(Session, models.CASCADE, related_name="browser")
    user = models.ForeignKey(User, models.CASCADE, related_name="browser_sessions")
    user_agent = models.CharField(max_length=255, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    objects: ClassVar = BrowserSessionQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.user}, {self.device}"

    @property
    def device(self) -> str:
        """Return in words which browser it is."""
        return device_words(self.user_agent)
