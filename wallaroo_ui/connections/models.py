"""Connections: how to reach another service, and in which workspaces that may be known."""

import json
import unicodedata
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Prefetch, Q
from django.urls import reverse

from wallaroo_ui.connections import encryption
from wallaroo_ui.json_text import JSON, write_object
from wallaroo_ui.workspaces.models import Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from wallaroo_ui.accounts.models import User

# Categories of Unicode: control characters, halves of characters, and breaks of lines.
NOT_IN_A_LINE = {"Cc", "Cs", "Zl", "Zp"}


def validate_line(text: str) -> None:
    """Refuse what does not stand on one line between other words."""
    if any(unicodedata.category(character) in NOT_IN_A_LINE for character in text):
        raise ValidationError("It may not hold control characters or line breaks.")


class DetailsUnreadable(Exception):
    """The details of a connection cannot be decrypted; the message is for people."""


class ConnectionQuerySet(models.QuerySet["Connection"]):
    """Questions about connections."""

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Return those that `user` made, or that a workspace of theirs has; all for an admin."""
        return self._made_by_or_in(user, Workspace.objects.visible_to(user))

    def readable_by(self, user: "User | AnonymousUser") -> Self:
        """Return those whose details `user` may read: viewers of a workspace may not."""
        return self._made_by_or_in(user, Workspace.objects.changeable_by(user))

    def _made_by_or_in(
        self, user: "User | AnonymousUser", workspaces: models.QuerySet[Workspace]
    ) -> Self:
        if not user.is_authenticated:
            return self.none()
        if user.is_platform_admin:
            return self
        links = WorkspaceConnection.objects.filter(workspace__in=workspaces)
        return self.filter(Q(created_by=user) | Q(pk__in=links.values("connection")))

    def in_workspace(self, workspace: Workspace) -> Self:
        """Return those that a workspace has."""
        return self.filter(links__workspace=workspace)

    def with_workspaces_seen_by(self, user: "User | AnonymousUser") -> Self:
        """Fetch along, as `seen_workspaces`, those that have it and that `user` may see."""
        seen = Workspace.objects.visible_to(user)
        return self.prefetch_related(Prefetch("workspaces", seen, to_attr="seen_workspaces"))


class Connection(models.Model):
    """How to reach another service: a name for scripts, a type, and details with secrets.

    Attributes:
        type: what kind of service it is, in the words of those who use it.
        sealed_details: the details, encrypted; `details` reads and writes them.
    """

    seen_workspaces: list[Workspace]  # Where `with_workspaces_seen_by` was asked for.

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(
        max_length=255,
        unique=True,
        validators=[validate_line],
        error_messages={"unique": "There is a connection of this name already."},
    )
    type = models.CharField(max_length=64, validators=[validate_line])
    sealed_details = models.TextField(editable=False)
    workspaces = models.ManyToManyField(
        Workspace, through="WorkspaceConnection", related_name="connections"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Any] = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return reverse("connections:detail", args=[self.pk])

    @property
    def details(self) -> dict[str, JSON]:
        """Decrypt the details.

        Raises:
            DetailsUnreadable: the key is gone, or the row was tampered with.
        """
        try:
            text = encryption.unseal(self.sealed_details, owner=self.seal_owner)
        except encryption.CannotUnseal:
            raise DetailsUnreadable(
                f"The details of {self.name} cannot be decrypted: the key under which they were "
                "stored is not among the keys of this server any more."
            ) from None
        details: dict[str, JSON] = json.loads(text)
        return details

    @details.setter
    def details(self, details: Mapping[str, object]) -> None:
        """Encrypt the details.

        Raises:
            JSONRefused: they are not JSON, or too large.
        """
        self.sealed_details = encryption.seal(write_object(details), owner=self.seal_owner)

    @property
    def seal_owner(self) -> str:
        """Return the owner under whose name the details are sealed: this row and no other."""
        return f"connection {self.pk}"

    def may_read_details(self, user: "User | AnonymousUser") -> bool:
        """Tell whether `user` may read the details, and link it to more workspaces."""
        readable: bool = Connection.objects.readable_by(user).filter(pk=self.pk).exists()
        return readable

    def may_be_managed_by(self, user: "User | AnonymousUser") -> bool:
        """Tell whether `user` may change and delete it: its maker, and platform admins."""
        return user.is_authenticated and (user.is_platform_admin or self.created_by_id == user.pk)


class WorkspaceConnection(models.Model):
    """That a workspace has a connection."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="connection_links")
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="links")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "connection"], name="one_link_a_workspace_and_connection"
            )
        ]

    def __str__(self) -> str:
        return f"{self.connection} in {self.workspace}"
