"""What a person may send about tasks, and the words when it is refused."""

import json
import re
from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from typing import Any, cast

from django import forms
from django.conf import settings
from django.http import QueryDict

from orchestrations.models import Orchestration, Version
from tasks.argument_values import PREFIX, ArgumentField, merge, show_argument, show_value
from tasks.coming import Preview
from tasks.cron import MONTHS, WEEKDAYS
from tasks.models import LONGEST_RETRY_DELAY, MAX_TIMEOUT_SECONDS, Kind, Missed, Overlap, Task
from tasks.schedule_picker import Choices, choices_of, lines_for
from tasks.schedules import MAX_LINE_CHARACTERS, MAX_LINES, Schedule, ScheduleRefused
from tasks.services import TaskSettings
from wallaroo_ui.forms import LONGEST_NAME, JSONObjectField
from wallaroo_ui.json_text import JSON, JSONRefused, parse_object, show_object

KINDS = [
    (Kind.ONCE.value, "Run immediately"),
    (Kind.SCHEDULED.value, "Run recurringly"),
    (Kind.CONTINUOUS.value, "Run indefinitely"),
]
MODES = [("picker", "Choose times"), ("cron", "Write cron")]
# A week begins with Monday; cron counts Sunday as 0.
DAYS_OF_WEEK = [(number % 7, WEEKDAYS[number % 7]) for number in range(1, 8)]
NOTHING_CHOSEN: dict[str, list[str]] = {"months": [], "days": [], "weekdays": [], "times": []}
FIRST_CHOICE = "08:00"
MOST_RETRIES = 100
VERSIONS_OFFERED = 50
SECONDS = {
    "invalid": "Write a whole number of seconds, such as 900.",
    "min_value": "At least %(limit_value)s.",
    "max_value": "At most %(limit_value)s seconds.",
}
CHANGED_MEANWHILE = (
    "%s has changed this task while you had it open. To replace that with what you see here, save "
    "again; to see what it is now, open it anew."
)
TIMEOUT_WORDS = SECONDS | {
    "min_value": "A run needs at least 1 second.",
    "max_value": f"At most 30 days, which is {MAX_TIMEOUT_SECONDS} seconds.",
}


class ScheduleForm(forms.Form):
    """When a task runs: chosen, or written as cron. What the other way shows is kept in step.

    Attributes:
        schedule: once valid, what was chosen or written; None if that was not asked for.
        is_choosable: whether the choices can show what was written.
    """

    schedule_mode = forms.ChoiceField(
        label="Schedule", choices=MODES, initial="picker", widget=forms.RadioSelect, required=False
    )
    months = forms.TypedMultipleChoiceField(
        choices=list(enumerate(MONTHS, start=1)),
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    days = forms.TypedMultipleChoiceField(
        label="Days of the month",
        choices=[(day, str(day)) for day in range(1, 32)],
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    weekdays = forms.TypedMultipleChoiceField(
        label="Days of the week",
        choices=DAYS_OF_WEEK,
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    times = forms.CharField(
        initial=FIRST_CHOICE,
        required=False,
        max_length=24 * 60 * len("08:00, "),  # All there are.
        help_text="24 hours; several with commas between them: 08:00, 20:30.",
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "aria-describedby": "id_times_helptext schedule-problems",
            }
        ),
    )
    cron = forms.CharField(
        label="Cron lines",
        required=False,
        max_length=MAX_LINES * (MAX_LINE_CHARACTERS + 2),
        help_text="A line each: minute, hour, day of month, month, day of week.",
        widget=forms.Textarea(
            attrs={
                "rows": 3,
                "spellcheck": "false",
                "autocomplete": "off",
                "autocapitalize": "off",
                "placeholder": "0 8 * * *",
                "aria-describedby": "id_cron_helptext schedule-problems",
            }
        ),
    )
    time_zone = forms.CharField(
        label="Time zone",
        required=False,
        help_text="Times are those of the clock there, in summer and in winter.",
        widget=forms.TextInput(
            attrs={
                "list": "time-zones",
                "autocomplete": "off",
                "spellcheck": "false",
                "aria-describedby": "id_time_zone_helptext schedule-problems",
            }
        ),
    )

    def __init__(self, *args: Any, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.at = at
        self.schedule: Schedule | None = None
        self.is_choosable = True

    @property
    def problems(self) -> list[str]:
        """Return what is wrong with the schedule, in sentences."""
        fields = ("schedule_mode", "months", "days", "weekdays", "times", "cron", "time_zone")
        return [str(words) for name in fields for words in self.errors.get(name, [])]

    @property
    def is_picked(self) -> bool:
        """Tell whether times are chosen, and not written as cron."""
        return self.cleaned_data.get("schedule_mode") != "cron"

    def clean_time_zone(self) -> str:
        """Take the name of a zone that exists."""
        name: str = self.cleaned_data["time_zone"]
        _refuse(lambda: Schedule.parse("0 0 * * *", name, at=self.at))
        return name

    def clean(self) -> None:
        """Read the schedule."""
        self.read_schedule()

    def read_schedule(self) -> None:
        """Read what was chosen or written; every problem stands at its field."""
        if self.errors.keys() & {"schedule_mode", "months", "days", "weekdays", "times", "cron"}:
            return
        zone = self.cleaned_data.get("time_zone", "UTC")
        try:
            text = self.cleaned_data["cron"]
            if self.is_picked:
                text = "\n".join(lines_for(self._choices()))
            self.schedule = Schedule.parse(text, zone, at=self.at)
        except ScheduleRefused as refusal:
            problems: list[str] = refusal.problems
            if self.is_picked:
                problems = list(dict.fromkeys(map(_without_line, problems)))
            self.add_error("times" if self.is_picked else "cron", problems)

    def _choices(self) -> Choices:
        chosen = self.cleaned_data
        return Choices(
            months=tuple(chosen["months"]),
            days=tuple(chosen["days"]),
            weekdays=tuple(chosen["weekdays"]),
            times=tuple(filter(None, re.split(r"[,;\s]+", chosen["times"]))),
        )

    def put_in_step(self) -> None:
        """Have the way that was not taken show the same schedule, where there is one."""
        if self.schedule is None:
            return
        other = {"cron": [self.schedule.text]} if self.is_picked else chosen_in(self.schedule)
        self.is_choosable = bool(other)
        data = QueryDict(mutable=True)
        data.update(self.data)
        for name, values in (other or NOTHING_CHOSEN).items():
            data.setlist(name, values)
        self.data = data

    def preview(self) -> Preview | None:
        """Return what the schedule shown will do; None if it cannot be followed."""
        if not self.is_bound:
            with suppress(ScheduleRefused):
                shown = Schedule.stored(self.initial["cron"], self.initial["time_zone"])
                return Preview.of(shown, at=self.at)
        return Preview.of(self.schedule, at=self.at) if self.schedule else None


def chosen_in(schedule: Schedule) -> dict[str, list[str]]:
    """Return the choices that mean a schedule; nothing where they cannot show it."""
    choices = choices_of(schedule.lines)
    if choices is None:
        return {}
    return {
        "months": [str(month) for month in choices.months],
        "days": [str(day) for day in choices.days],
        "weekdays": [str(day) for day in choices.weekdays],
        "times": [", ".join(choices.times)],
    }


class ArgumentsField(JSONObjectField):
    """The arguments of a task or of one run."""

    def __init__(self) -> None:
        super().__init__(
            label="Json arguments",
            help_text="A JSON object; the script reads it with task_args().",
        )


class TaskForm(ScheduleForm):
    """A task, new or to be changed.

    The arguments can be written as JSON, or line by line where the script tells their names:
    `arguments_shown` is what both were filled with, and so tells which of them was changed.

    Attributes:
        task: that is to be changed; None for a new one.
        state: stands for what is decided of it now. The page sends what it was made from along
            as `seen`: nobody undoes unawares what somebody else has changed meanwhile.
    """

    task: Task | None = None
    state = ""
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(label="Task Name", max_length=LONGEST_NAME)
    kind = forms.ChoiceField(
        label="Task Type", choices=KINDS, initial=Kind.ONCE, widget=forms.RadioSelect
    )
    version = forms.ChoiceField(
        label="Version",
        required=False,
        help_text="The latest is the newest one that has been packaged, whenever a run starts.",
    )
    arguments_shown = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)
    arguments = ArgumentsField()
    timeout = forms.IntegerField(
        label="Timeout (sec)",
        required=False,
        min_value=1,
        max_value=MAX_TIMEOUT_SECONDS,
        error_messages=TIMEOUT_WORDS,
    )
    overlap = forms.ChoiceField(
        label="If the previous run is still going",
        choices=Overlap,
        initial=Overlap.ALLOW,
        required=False,
    )
    missed = forms.ChoiceField(
        label="Runs missed while the server was down",
        choices=Missed,
        initial=Missed.LATEST,
        required=False,
    )
    retries = forms.IntegerField(
        label="Retries",
        required=False,
        initial=0,
        min_value=0,
        max_value=MOST_RETRIES,
        help_text="How often a run that failed is tried again.",
        error_messages={
            "invalid": "Write a whole number, such as 3.",
            "max_value": f"At most {MOST_RETRIES} retries.",
        },
    )
    retry_delay = forms.IntegerField(
        label="Wait before a retry (sec)",
        required=False,
        initial=60,
        min_value=1,
        max_value=int(LONGEST_RETRY_DELAY.total_seconds()),
        error_messages=SECONDS,
    )
    retry_backoff = forms.BooleanField(
        label="Wait twice as long before each further retry", required=False, initial=True
    )
    start_deadline = forms.IntegerField(
        label="Start deadline (sec)",
        required=False,
        min_value=1,
        max_value=MAX_TIMEOUT_SECONDS,
        help_text="A run that could not start for so long does not start at all. Blank: it waits.",
        error_messages=SECONDS,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What is wrong with them stands in one place, whether it is found while writing or later.
        described = {"aria-describedby": "id_arguments_helptext arguments-problem"}
        self.fields["arguments"].widget.attrs |= described

    @classmethod
    def for_new(
        cls, data: QueryDict | None, *, orchestration: Orchestration, at: datetime
    ) -> "TaskForm":
        """Return the form for a new task."""
        workspace = orchestration.workspace
        initial = {
            "name": orchestration.display_name,
            "time_zone": workspace.time_zone,
            "timeout": workspace.timeout_seconds,
            "cron": "0 8 * * *",
        }
        form = cls(data, initial=initial, at=at)
        form.offer_versions(orchestration)
        return form

    @classmethod
    def for_change(cls, data: QueryDict | None, *, task: Task, at: datetime) -> "TaskForm":
        """Return the form for a task that exists; of what kind it is stays."""
        initial = _settings_of(task)
        form = cls(data, initial=initial, at=at)
        form.offer_versions(task.orchestration, pinned=task.version)
        form.fields["kind"].disabled = True
        form.is_choosable = initial.get("schedule_mode") != "cron"
        form.task = task
        form.state = sha256(json.dumps(initial).encode()).hexdigest()
        return form

    def offer_versions(self, orchestration: Orchestration, pinned: Version | None = None) -> None:
        """Offer to follow the latest, and the newest versions with the one that is pinned."""
        newest = orchestration.versions.newest_first()[:VERSIONS_OFFERED]
        offered = {version.number: version for version in newest}
        if pinned is not None:
            offered.setdefault(pinned.number, pinned)
        for version in offered.values():
            version.orchestration = orchestration
        self.versions = {str(number): version for number, version in offered.items()}
        field = cast("forms.ChoiceField", self.fields["version"])
        field.choices = [
            ("", "Follow the latest"),
            *((number, _words_for(version)) for number, version in self.versions.items()),
        ]

    @property
    def chosen_version(self) -> Version | None:
        """Return the version that is chosen in the form as it stands; None for the latest."""
        return self.versions.get(str(self["version"].value() or ""))

    def clean_arguments(self) -> str:
        """Take the JSON, with what was changed line by line."""
        text: str = self.cleaned_data["arguments"]
        written = parse_object(text)
        try:
            merged = show_object(merge(written, self._shown_arguments(), self._lines()))
            parse_object(merged)  # What holds for the JSON holds for its lines.
        except JSONRefused as refusal:
            raise forms.ValidationError(str(refusal)) from refusal
        return text if merged == show_object(written) else merged

    def _lines(self) -> dict[str, str]:
        sent = self.data.items()
        return {key.removeprefix(PREFIX): str(text) for key, text in sent if key.startswith(PREFIX)}

    def _shown_arguments(self) -> dict[str, JSON]:
        try:
            return parse_object(str(self["arguments_shown"].value() or ""))
        except JSONRefused:  # Not by our page.
            return {}

    def argument_fields(self, names: dict[str, JSON]) -> list[ArgumentField]:
        """Return a line for each argument of these names, which come with their defaults."""
        lines = self._lines()
        try:
            given = parse_object(str(self["arguments"].value() or ""))
        except JSONRefused:
            given = {}
        return [
            ArgumentField(
                number=number,
                name=name,
                value=lines.get(name, show_argument(name, given)),
                default="" if default is None else show_value(default),
            )
            for number, (name, default) in enumerate(names.items())
        ]

    def put_arguments_in_step(self) -> None:
        """Have JSON and lines show the same, where both can be read."""
        if "arguments" not in self.cleaned_data:
            return
        text = self.cleaned_data["arguments"]
        given = parse_object(text)
        data = QueryDict(mutable=True)
        data.update(self.data)
        data["arguments"] = data["arguments_shown"] = text
        for name in self._lines():
            data[f"{PREFIX}{name}"] = show_argument(name, given)
        self.data = data

    def clean(self) -> None:
        """Read the schedule where the task has one; what it does not have cannot be wrong."""
        if self.task and self.cleaned_data.get("seen", "") not in {"", self.state}:
            self.add_error(None, CHANGED_MEANWHILE % (self.task.changed_by or "Somebody"))
        kind = self.cleaned_data.get("kind")
        if kind == Kind.SCHEDULED:
            self.read_schedule()
            return
        hidden = {*ScheduleForm.base_fields, "overlap", "missed"}
        if kind == Kind.CONTINUOUS:
            hidden |= {"retries", "retry_delay"}
        for name in hidden:
            self.errors.pop(name, None)

    @property
    def has_advanced_errors(self) -> bool:
        """Tell whether something is wrong in a part that is shown only when opened."""
        return bool(self.errors.keys() - {"name", "kind", *ScheduleForm.base_fields})

    @property
    def wanted(self) -> TaskSettings:
        """Return what was decided; what the kind does not offer keeps its default."""
        data, kind = self.cleaned_data, self.cleaned_data["kind"]
        is_scheduled, is_endless = kind == Kind.SCHEDULED, kind == Kind.CONTINUOUS
        return TaskSettings(
            name=data["name"],
            version=self.versions.get(data["version"]),
            arguments_json=data["arguments"],
            timeout_seconds=data["timeout"]
            or (None if is_endless else settings.RUN_TIMEOUT_SECONDS),
            schedule=self.schedule,
            overlap=(is_scheduled and data["overlap"]) or Overlap.ALLOW,
            missed=(is_scheduled and data["missed"]) or Missed.LATEST,
            retries=0 if is_endless else data["retries"] or 0,
            retry_delay_seconds=data.get("retry_delay") or 60,
            retry_backoff=data["retry_backoff"],
            start_deadline_seconds=data["start_deadline"],
        )


class ArgumentsForm(forms.Form):
    """What one more run gets instead of its task's arguments."""

    arguments = ArgumentsField()


def _settings_of(task: Task) -> dict[str, Any]:
    """Return what the form shows of a task."""
    shown: dict[str, Any] = {
        "name": task.name,
        "kind": task.kind,
        "time_zone": task.time_zone,
        "cron": task.schedule,
        "version": str(task.version.number) if task.version else "",
        "arguments": task.arguments_json,
        "arguments_shown": task.arguments_json,
        "timeout": task.timeout_seconds,
        "overlap": task.overlap,
        "missed": task.missed,
        "retries": task.retries,
        "retry_delay": task.retry_delay_seconds,
        "retry_backoff": task.retry_backoff,
        "start_deadline": task.start_deadline_seconds,
    }
    if task.kind == Kind.SCHEDULED:
        try:
            chosen = chosen_in(task.cron)
        except ScheduleRefused:
            chosen = {}
        shown |= {name: values if name != "times" else values[0] for name, values in chosen.items()}
        shown["schedule_mode"] = "picker" if chosen else "cron"
    return shown


def _words_for(version: Version) -> str:
    words = f"Version {version.number}"
    return words if version.is_ready else f"{words} ({version.get_status_display().lower()})"


def _refuse(read: Any) -> None:
    """Say as an error of the field why something cannot be read."""
    try:
        read()
    except ScheduleRefused as error:
        raise forms.ValidationError(error.problems) from error


def _without_line(problem: str) -> str:
    """Say a problem without the number of a line that nobody has written."""
    words = re.sub(r"^Line \d+: ", "", problem)
    return words[0].upper() + words[1:]
