"""Workspaces: who sees and does what, who is asked to join, and who did what when."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.urls import reverse

from wallaroo_ui.time_zones import validate_time_zone

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from wallaroo_ui.accounts.models import User


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
        """Tell whether this role may add, change and remove members, and set the defaults."""
        return self is Role.OWNER


class WorkspaceQuerySet(models.QuerySet["Workspace"]):
    """Questions about workspaces."""

    def visible_to(self, user: "User | AnonymousUser") -> Self:
        """Return the workspaces that `user` may see: their own, or all for an admin."""
        return self._with_role(user, list(Role))

    def changeable_by(self, user: "User | AnonymousUser") -> Self:
        """Return the workspaces in which `user` may change things."""
        return self._with_role(user, [role for role in Role if role.may_change])

    def managed_by(self, user: "User | AnonymousUser") -> Self:
        """Return the workspaces whose members and defaults `user` may change."""
        return self._with_role(user, [role for role in Role if role.may_manage_members])

    def search(self, text: str) -> Self:
        """Return those whose name holds `text`, in any case."""
        return self.filter(name__icontains=text) if text else self

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

    may_manage: bool  # These where its page asked for them.
    workload_count: int
    connection_count: int

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
    timeout_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="The form of a new task proposes it as the timeout of one run.",
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


class Invitation(models.Model):
    """Somebody without an account who was asked to join a workspace.

    Whoever has the link makes the account of that address, so only the hash of its token is
    kept. It is good once: with the row the invitation is gone.
    """

    LIFETIME = timedelta(days=7)

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="invitations")
    email = models.EmailField("e-mail address")
    role = models.CharField(max_length=16, choices=Role)
    hash = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("workspace", Lower("email"), name="one_invitation_an_address")
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.workspace}"

    def is_expired(self, *, at: datetime) -> bool:
        """Tell whether its time is over."""
        return self.expires_at <= at


class Verb(models.TextChoices):
    """What somebody did in a workspace, as it stands between their name and the subject's."""

    WORKSPACE_MADE = "workspace_made", "made the workspace"
    SETTINGS_CHANGED = "settings_changed", "changed the defaults"
    MEMBER_ADDED = "member_added", "added"
    MEMBER_CHANGED = "member_changed", "changed the role of"
    MEMBER_REMOVED = "member_removed", "removed"
    MEMBER_LEFT = "member_left", "left"
    MEMBER_INVITED = "member_invited", "invited"
    INVITATION_WITHDRAWN = "invitation_withdrawn", "withdrew the invitation of"
    MEMBER_JOINED = "member_joined", "joined"
    CONNECTION_SHARED = "connection_shared", "shared the connection"
    CONNECTION_UNSHARED = "connection_unshared", "took away the connection"
    UPLOADED = "uploaded", "uploaded"
    DELETED = "deleted", "deleted the workload"
    TASK_MADE = "task_made", "made the task"
    TASK_CHANGED = "task_changed", "changed the task"
    TASK_PAUSED = "task_paused", "paused the task"
    TASK_RESUMED = "task_resumed", "resumed the task"
    TASK_STOPPED = "task_stopped", "stopped the task"
    RUN_ASKED = "run_asked", "ran the task"
    RUN_STOPPED = "run_stopped", "stopped a run of"


class Event(models.Model):
    """Something that somebody did in a workspace.

    Attributes:
        user: who; None where the account is gone.
        subject: what it was done to, as it was called then.
        detail: more in a few words, such as the new role. Never a secret.
        url: where the subject was to be found.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="events", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    verb = models.CharField(max_length=32, choices=Verb)
    subject = models.CharField(max_length=255, blank=True)
    detail = models.CharField(max_length=255, blank=True)
    url = models.CharField(max_length=255, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-at", "-id"]),
            models.Index(fields=["at"]),  # For housekeeping.
        ]

    def __str__(self) -> str:
        return f"{self.user or 'somebody'} {self.get_verb_display()} {self.subject}"
