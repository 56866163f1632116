"""What a person may send about workspaces, and the words when it is refused."""

from typing import Any

from django import forms

from wallaroo_ui.accounts.models import User
from wallaroo_ui.workspaces.models import Membership, Role, Workspace, validate_time_zone


class WorkspaceForm(forms.Form):
    """A new workspace. Whether its name is one, the service says."""

    name = forms.CharField(
        help_text="Letters, digits, dashes and underscores. No other on this server may have it, "
        "and it cannot be changed later.",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        ),
    )


class TimeZoneForm(forms.Form):
    """The zone in which new schedules are meant."""

    time_zone = forms.CharField(
        label="Time zone of new schedules",
        max_length=64,
        validators=[validate_time_zone],
        help_text="Unless their maker chooses another. Those that exist keep theirs.",
        widget=forms.TextInput(
            attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false"}
        ),
    )


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
        user: once valid, whose address it is.
        unknown_address: what was written, where nobody has it.
    """

    email = forms.EmailField(
        label="E-mail address",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        error_messages={"invalid": "Write an e-mail address, such as name@example.com."},
    )

    field_order = ("email", "role")

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].initial = Role.COLLABORATOR
        self.workspace = workspace
        self.user: User | None = None
        self.unknown_address = ""

    def clean_email(self) -> str:
        """Find whose address it is; a member's role is changed in the list, never by accident."""
        address: str = self.cleaned_data["email"]
        self.user = User.objects.filter(email__iexact=address).first()
        if self.user is None:
            self.unknown_address = address
            raise forms.ValidationError(f"Nobody on this server has the address {address}.")
        if Membership.objects.filter(workspace=self.workspace, user=self.user).exists():
            raise forms.ValidationError(f"{self.user} is a member already.")
        return address
