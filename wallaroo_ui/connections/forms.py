"""What a person may send about connections, and the words when it is refused."""

from typing import Any

from django import forms
from django.db.models import QuerySet

from wallaroo_ui.connections.models import Connection
from wallaroo_ui.forms import JSONObjectField
from wallaroo_ui.json_text import JSON, parse_object
from wallaroo_ui.workspaces.models import Workspace

# Types that scripts of others use; any word will do.
USUAL_TYPES = ("HTTP", "HTTPFILE", "BIGQUERY", "POSTGRES", "MONGODB", "S3")


class ConnectionForm(forms.ModelForm[Connection]):
    """A connection to be changed: everything but its name."""

    details = JSONObjectField(
        label="Details",
        required=True,
        help_text="A JSON object. It is kept encrypted; scripts read it with details().",
    )

    class Meta:
        model = Connection
        fields: tuple[str, ...] = ("type",)
        widgets = {"type": forms.TextInput(attrs={"list": "types", "autocomplete": "off"})}
        help_texts = {"type": "What kind of service it is, in a word of your own."}

    @property
    def parsed_details(self) -> dict[str, JSON]:
        """Return the details of a valid form."""
        return parse_object(self.cleaned_data["details"])


class NewConnectionForm(ConnectionForm):
    """A new connection and, maybe, the first workspace that has it."""

    workspace = forms.ModelChoiceField(
        Workspace.objects.none(),
        required=False,
        empty_label="None yet",
        help_text="Its members see the connection. More can be added later.",
    )

    class Meta(ConnectionForm.Meta):
        fields = ("name", "type")
        help_texts = ConnectionForm.Meta.help_texts | {
            "name": "Scripts ask for it by this name. No other on this server may have it, and it "
            "cannot be changed later."
        }

    def __init__(self, *args: Any, workspaces: QuerySet[Workspace], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["autocomplete"] = "off"
        field: Any = self.fields["workspace"]
        field.queryset = workspaces


class LinkForm(forms.Form):
    """One more workspace that shall have a connection."""

    workspace = forms.ModelChoiceField(
        Workspace.objects.none(),
        empty_label="Choose a workspace",
        error_messages={
            "required": "Choose a workspace.",
            "invalid_choice": "Choose a workspace in which you may change things.",
        },
    )

    def __init__(self, *args: Any, workspaces: QuerySet[Workspace], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["workspace"]
        field.queryset = workspaces
        # Looked up once: the page asks whether there is a choice, and then shows it.
        field.choices = [("", field.empty_label), *((each.pk, each.name) for each in workspaces)]
