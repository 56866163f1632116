"""What forms of several apps share."""

from typing import Any

from django import forms
from django.http import HttpRequest

from wallaroo_ui.json_text import JSONRefused, parse_object

LONGEST_NAME = 255


def search_text(request: HttpRequest) -> str:
    """Return what a search asks for: never more than a name can have."""
    return request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_NAME]


class JSONObjectField(forms.CharField):
    """A JSON object and nothing else, kept as it was written."""

    def __init__(self, *, label: str, help_text: str, required: bool = False) -> None:
        super().__init__(
            label=label,
            required=required,
            strip=False,
            widget=forms.Textarea(
                attrs={
                    "rows": 6,
                    "spellcheck": "false",
                    "autocomplete": "off",
                    "placeholder": "{}",
                }
            ),
            help_text=help_text,
        )

    def clean(self, value: Any) -> str:
        """Refuse what is not a JSON object, with line and column."""
        text: str = super().clean(value)
        try:
            parse_object(text)
        except JSONRefused as refusal:
            raise forms.ValidationError(str(refusal)) from refusal
        return text.strip() or "{}"
