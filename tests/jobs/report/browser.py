"""A real Chromium that has no network, watched for whatever it asks for and complains about."""

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

CHROMIUM = shutil.which("chromium")
_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


@contextmanager
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page, what it asked the network for, and what the console said."""

    page: Any
    requests: list = field(default_factory=list)
    complaints: list = field(default_factory=list)


def opened(browser, path, **options):
    page = browser.new_page(**options)
    seen = Opened(page)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.goto(path.as_uri())
    return seen


def asked_for(seen, path):
    """All requests but that for the file itself and for what is inside it."""
    return [url for url in seen.requests if url != path.as_uri() and not url.startswith("data:")]
