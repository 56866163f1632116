"""What a person may send about their own account."""

from datetime import timedelta

from django import forms

from wallaroo_ui.accounts.models import ApiToken, Scope, User
from wallaroo_ui.time_zones import validate_time_zone

FOR_EVER = "0"
DAYS = [
    ("7", "7 days"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "1 year"),
    (FOR_EVER, "No expiry"),
]


class ApiTokenForm(forms.ModelForm[ApiToken]):
    """A token to be made."""

    scope = forms.ChoiceField(choices=Scope.choices, initial=Scope.READ, widget=forms.RadioSelect)
    days = forms.ChoiceField(label="Expires after", choices=DAYS, initial="30")

    class Meta:
        model = ApiToken
        fields = ("name", "scope")

    @property
    def lifetime(self) -> timedelta | None:
        """How long the token shall be good; None is for ever."""
        days = self.cleaned_data["days"]
        return None if days == FOR_EVER else timedelta(days=int(days))


class ProfileForm(forms.ModelForm[User]):
    """How a person is called, and how pages look to them."""

    time_zone = forms.CharField(
        label="Time zone",
        required=False,
        max_length=64,
        validators=[validate_time_zone],
        help_text="Times on pages are meant in it. Empty: your browser's.",
        widget=forms.TextInput(
            attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false"}
        ),
    )

    class Meta:
        model = User
        fields = ("first_name", "last_name", "theme", "time_zone")
        widgets = {"theme": forms.RadioSelect}
