"""The colours of static/css/tokens.css can be read by people who see little contrast."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from wallaroo_ui.help_views import INKS, LINES, SURFACES

AA_TEXT, AA_PARTS = 4.5, 3.0
TOKEN = re.compile(r"--([a-z-]+): (?:light-dark\((#\w{6}), (#\w{6})\)|(#\w{6}));")
CSS = Path(settings.BASE_DIR, "static/css/tokens.css").read_text(encoding="utf-8")
# Of each token, its colour in light and in dark.
TOKENS = {name: (light or both, dark or both) for name, light, dark, both in TOKEN.findall(CSS)}
THEMES = {"light": 0, "dark": 1}


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG 2 defines it."""

    def linear(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str, theme: str) -> float:
    first, second = (luminance(TOKENS[name][THEMES[theme]]) for name in (one, other))
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("ink", INKS)
def test_every_ink_reads_on_every_surface(ink: str, surface: str, theme: str) -> None:
    assert contrast(ink, surface, theme) >= AA_TEXT


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ink", ["log-ink", "log-soft", "log-bad", "log-accent"])
@pytest.mark.parametrize("surface", ["log-paper", "log-bar", "log-hover"])
def test_every_ink_of_a_log_reads_on_it(ink: str, surface: str, theme: str) -> None:
    assert contrast(ink, surface, theme) >= AA_TEXT


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("fill", ["accent-fill", "accent-fill-hover"])
def test_the_words_on_a_filled_button_read(fill: str, theme: str) -> None:
    assert contrast("on-accent", fill, theme) >= AA_TEXT


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("surface", SURFACES)
def test_the_edge_of_a_field_and_the_focus_can_be_seen(surface: str, theme: str) -> None:
    assert contrast("control-line", surface, theme) >= AA_PARTS
    assert contrast("focus", surface, theme) >= AA_PARTS


def test_the_style_guide_shows_tokens_that_exist() -> None:
    assert {*SURFACES, *INKS, *LINES} <= TOKENS.keys()
