"""What a person may send about tasks."""

from django import forms
from django.conf import settings

from tasks.arguments import ArgumentsRefused, parse_arguments
from tasks.models import MAX_TIMEOUT_SECONDS, Kind

IMMEDIATELY = [(Kind.ONCE.value, "Run immediately")]


class TaskForm(forms.Form):
    """A new task."""

    name = forms.CharField(label="Task Name", max_length=255)
    kind = forms.ChoiceField(
        label="Task Type", choices=IMMEDIATELY, initial=Kind.ONCE, widget=forms.RadioSelect
    )
    arguments = forms.CharField(
        label="Json arguments",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "placeholder": "{}"}),
        help_text="A JSON object; the script reads it with task_args().",
    )
    timeout = forms.IntegerField(
        label="Timeout (sec)",
        initial=settings.RUN_TIMEOUT_SECONDS,
        min_value=1,
        max_value=MAX_TIMEOUT_SECONDS,
        help_text="How long a run may take before it is stopped: 1 second to 30 days.",
        error_messages={
            "invalid": "Write a whole number of seconds, such as 900.",
            "min_value": "A run needs at least 1 second.",
            "max_value": f"At most 30 days, which is {MAX_TIMEOUT_SECONDS} seconds.",
        },
    )

    def clean_arguments(self) -> str:
        """Take a JSON object and nothing else; keep it as it was written."""
        text: str = self.cleaned_data["arguments"]
        try:
            parse_arguments(text)
        except ArgumentsRefused as error:
            raise forms.ValidationError(str(error)) from error
        return text.strip() or "{}"
