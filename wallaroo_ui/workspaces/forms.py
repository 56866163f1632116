"""What a person may send about workspaces, and the words when it is refused."""

from typing import Any, Self

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.core.validators import MaxLengthValidator

from wallaroo_ui.accounts.models import User, has_email
from wallaroo_ui.accounts.people import LONGEST_EMAIL
from wallaroo_ui.time_zones import validate_time_zone
from wallaroo_ui.workspaces.models import Membership, Role, Workspace


class WorkspaceForm(forms.Form):
    """A new workspace. Whether its name is one, the service says."""

    name = forms.CharField(
        help_text="Letters, digits, dashes and underscores. No other on this server may have it, "
        "and it cannot be changed later.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        ),
    )


class DefaultsForm(forms.Form):
    """What new tasks begin with."""

    time_zone = forms.CharField(
        label="Time zone of new schedules",
        max_length=64,
        validators=[validate_time_zone],
        help_text="Unless their maker chooses another. Those that exist keep theirs.",
        widget=forms.TextInput(
            attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    timeout = forms.IntegerField(
        label="Timeout of new tasks (sec)",
        required=False,
        min_value=1,
        max_value=settings.RUN_TIMEOUT_MAX_SECONDS,
        help_text="Proposed by the form of a new task.",
        error_messages={
            "invalid": "Write a whole number of seconds.",
            "min_value": "A run needs at least 1 second.",
            "max_value": "At most %(limit_value)s seconds, which is 30 days.",
        },
    )

    @classmethod
    def of(cls, workspace: Workspace) -> Self:
        """Return the form with what a workspace has."""
        return cls(initial={"time_zone": workspace.time_zone, "timeout": workspace.timeout_seconds})


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(
        choices=Role,
        help_text="Owners change the members too; viewers only look.",
        error_messages={"invalid_choice": "Choose a role."},
    )


class MemberForm(RoleForm):
    """One more member, by e-mail address.

    Attributes:
        user: once valid, whose address it is; None where nobody has it, so that it is invited.
        unknown_address: what was written, where nobody has it and none may be invited.
    """

    email = forms.EmailField(
        label="E-mail address",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        error_messages={"invalid": "Write an e-mail address, such as name@example.com."},
    )

    field_order = ("email", "role")

    def __init__(
        self, *args: Any, workspace: Workspace, may_invite: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.may_invite = may_invite
        self.fields["role"].initial = Role.COLLABORATOR
        self.workspace = workspace
        self.user: User | None = None
        self.unknown_address = ""

    def clean_email(self) -> str:
        """Find whose address it is; a member's role is changed in the list, never by accident."""
        address: str = self.cleaned_data["email"]
        self.user = User.objects.filter(has_email(address)).first()
        if self.user is None and self.may_invite:
            MaxLengthValidator(LONGEST_EMAIL, "It has more than %(limit_value)s characters.")(
                address
            )
            return address
        if self.user is None:
            self.unknown_address = address
            raise forms.ValidationError(f"Nobody on this server has the address {address}.")
        if Membership.objects.filter(workspace=self.workspace, user=self.user).exists():
            raise forms.ValidationError(f"{self.user} is a member already.")
        return address


class NewAccountForm(forms.Form):
    """The account of somebody who was invited. Whether the password will do, the service says."""

    first_name = forms.CharField(
        required=False,
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "given-name"}),
    )
    last_name = forms.CharField(
        required=False,
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "family-name"}),
    )
    password = forms.CharField(
        strip=False,
        help_text=password_validators_help_text_html(),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="Password again",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_again(self) -> str:
        """Refuse what was typed differently."""
        again: str = self.cleaned_data["again"]
        if "password" in self.cleaned_data and again != self.cleaned_data["password"]:
            raise forms.ValidationError("The two passwords are not the same.")
        return again
