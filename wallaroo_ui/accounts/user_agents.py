"""Which browser a request comes from, in words. A hint for people: anybody can claim anything."""

# In this order: the later ones claim to be the earlier ones too.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
LONGEST_UNKNOWN = 40


def device_words(user_agent: str) -> str:
    """Say what a browser calls itself, such as "Firefox on Linux"."""
    browser = _first(BROWSERS, user_agent)
    system = _first(SYSTEMS, user_agent)
    if browser and system:
        return f"{browser} on {system}"
    if browser:
        return browser
    program = user_agent.strip()[:LONGEST_UNKNOWN]
    return program or "An unknown program"


def _first(table: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((words for sign, words in table if sign in user_agent), "")
