"""What a person may send about orchestrations."""

from pathlib import PurePath
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat

from wallaroo_ui.forms import LONGEST_NAME


class VersionForm(forms.Form):
    """A new version of an orchestration: its archive."""

    archive = forms.FileField(
        label="ZIP archive",
        error_messages={
            "required": "Choose a ZIP archive.",
            "empty": "The file is empty: it is not a ZIP archive.",
        },
        widget=forms.ClearableFileInput(attrs={"accept": ".zip,application/zip"}),
    )

    def clean_archive(self) -> UploadedFile[Any]:
        """Refuse what is larger than this server takes."""
        file: UploadedFile[Any] = self.cleaned_data["archive"]
        if file.size is not None and file.size > settings.ARCHIVE_MAX_BYTES:
            raise forms.ValidationError(
                f"{file.name} has {filesizeformat(file.size)}; this server takes archives of "
                f"at most {filesizeformat(settings.ARCHIVE_MAX_BYTES)}."
            )
        return file

    @property
    def file_name(self) -> str:
        """Return the file's name as its sender calls it, without any folder."""
        return PurePath(str(self.cleaned_data["archive"].name)).name[:LONGEST_NAME]


class UploadForm(VersionForm):
    """A new orchestration: its first archive and, maybe, a name."""

    name = forms.CharField(
        label="Name",
        required=False,
        max_length=LONGEST_NAME,
        help_text="How the list calls it. Left empty, the file's name is shown.",
    )
