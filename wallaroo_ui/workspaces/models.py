"""Workspaces: who sees and does what."""

from typing import TYPE_CHECKING, ClassVar, Self
from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.urls import reverse

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from wallaroo_ui.accounts.models import User


def validate_time_zone(name: str) -> None:
    """Refuse what is not the name of an IANA time zone."""
    if name not in available_timezones():
        raise ValidationError(f"There is no time zone “{name}”; an example is Europe/Berlin.")


class Role(models.TextChoices):
    """What a member may do in a workspace."""

    OWNER = "owner", "Owner"  # Everything, and the members.
    COLLABORATOR = "collaborator", "Collaborator"  # Everything but the members.
    VIEWER = "viewer", "Viewer"  # Look, change nothing.

    @property
    def may_change(self) -> bool:
        """Tell whether this role may upload, run and stop."""
        return self is not Role.VIEWER

    @property
    def may_manage_members(self) -> bool:
        """Tell whether this role may add, change and remove members, and set the time zone."""
        return self is Role.OWNER


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    """Questions about workspaces."""

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Return the workspaces that `user` may see: their own, or all for an admin."""
        return self._with_role(user, list(Role))

    def changeable_by(self, user: "User | AnonymousUser") -> Self:
        """Return the workspaces in which `user` may change things."""
        return self._with_role(user, [role for role in Role if role.may_change])

    def _with_role(self, user: "User | AnonymousUser", roles: list[Role]) -> Self:
        """Return those in which `user` has one of `roles`, as `Workspace.role_of` says."""
        if not user.is_authenticated:
            return self.none()
        if user.is_platform_admin:
            return self
        memberships = Membership.objects.filter(user=user, role__in=roles)
        own = Q(pk__in=memberships.values("workspace"))
        return self.filter(own | Q(pk=user.confined_to) if user.confined_to else own)


class Workspace(models.Model):
    """A team's room: its orchestrations, tasks and runs are seen by its members only.

    The id is a number and the name is unique over the whole server, as in the SDK's
    contract.
    """

    name = models.CharField(max_length=320, unique=True)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="workspaces"
    )
    default_for = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="default_workspace",
        help_text="The person who works here unless they chose another workspace.",
    )
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="New schedules are meant in this zone unless their maker chose another.",
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the workspace's Workloads list."""
        return reverse("orchestrations:list", args=[self.pk])

    @property
    def page_url(self) -> str:
        """Return the address of its own page: its facts and members."""
        return reverse("workspaces:detail", args=[self.pk])

    def role_of(self, user: "User | AnonymousUser") -> Role | None:
        """Return the role of `user` here; platform admins act as owners everywhere."""
        if not user.is_authenticated:
            return None
        if user.is_platform_admin or user.confined_to == self.pk:
            return Role.OWNER
        membership = Membership.objects.filter(workspace=self, user=user).first()
        return Role(membership.role) if membership else None


class Membership(models.Model):
    """One person's role in one workspace."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role, default=Role.COLLABORATOR)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_a_workspace")
        ]

    def __str__(self) -> str:
        return f"{self.user} as {self.get_role_display()} of {self.workspace}"
