"""Two reviewers in Chromium review, publish and withdraw a map; a reader looks before, between and after.

Run inside a network namespace that has loopback and nothing else, with the settings in the environment:
`unshare -rn python browse_review.py DAY REPORT.json [PICTURES]`. The browser sends the header that a
reverse proxy would.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from htrisk_dagster_tests.dashboard.browse import (
    CHROMIUM,
    Watched,
    loopback_up,
    serve,
    settled,
)
from playwright.sync_api import Browser, sync_playwright

REASON = "Looked at every cell of the top band."


def looks(browser: Browser, base: str) -> dict[str, Any]:
    """What a reader without a name is shown."""
    watched = Watched(browser, base, width=1400, scheme="light")
    page = watched.open("/")
    maps = page.locator("#risk-map svg[data-day]")
    if page.locator("#risk-map").count():
        maps.wait_for()
    found = {
        "maps": maps.count(),
        "words": page.locator("#page").inner_text()[:3_000],
        "title": page.locator("#day-title").inner_text() if maps.count() else "",
        "stage": page.locator("#risk-map .stage").text_content() if maps.count() else "",
        "links": page.locator("#navigation a").all_inner_texts(),
        "errors": list(watched.errors),
        "outside": list(watched.outside),
    }
    # Last, for a refused page is an error on the console.
    answer = page.goto(f"{base}/review")
    found["review"] = answer.status if answer else None
    page.context.close()
    return found


class Reviewer:
    """A browser behind the proxy that knows who sits before it."""

    def __init__(self, browser: Browser, base: str, name: str, *, width: int, scheme: str) -> None:
        self.watched = Watched(browser, base, width=width, scheme=scheme)
        self.page = self.watched.page
        self.page.context.set_extra_http_headers({os.environ["HTRISK_IDENTITY_HEADER"]: name})
        self.seen: list[dict[str, Any]] = []

    def look(self, picture: Path | None = None) -> None:
        """Write down what axe finds and whether the page is too wide."""
        self.seen.append({"grave": self.watched.grave(), "overflow": self.watched.overflow()})
        if picture:
            self.page.screenshot(path=picture, full_page=True)

    def find_the_day(self, day: str) -> None:
        """From the dashboard by its links, as a person does."""
        self.watched.open("/")
        # On a phone the navigation is folded away.
        if (burger := self.page.locator("#burger")).is_visible():
            burger.click()
        self.page.get_by_role("link", name="Review and release").click()
        self.page.wait_for_selector("h1:has-text('Maps to review')")
        self.page.get_by_role("link", name=day).click()
        self.page.wait_for_selector(f"h1:has-text('Map of {day}')")

    def decide(self, label: str) -> str:
        """Give a reason and press a button; return what is told."""
        self.page.get_by_label("Why, in a sentence").fill(REASON)
        self.page.get_by_role("button", name=label, exact=True).click()
        self.page.wait_for_selector("[role=status]")
        return self.page.locator("[role=status]").inner_text()

    def close(self) -> dict[str, Any]:
        self.page.context.close()
        return {"seen": self.seen, "errors": self.watched.errors, "outside": self.watched.outside}


def review(browser: Browser, base: str, day: str, pictures: Path | None) -> dict[str, Any]:
    found: dict[str, Any] = {"before": looks(browser, base)}
    anna = Reviewer(browser, base, "anna", width=1400, scheme="light")
    ben = Reviewer(browser, base, "ben", width=390, scheme="dark")
    anna.find_the_day(day)
    anna.look(pictures / "review_wide.png" if pictures else None)
    found["documents"] = anna.page.locator("section").first.locator("tbody tr").count()
    anna.page.get_by_role("link", name="model card").click()
    anna.page.wait_for_selector("h1:has-text('Model card')")
    anna.look()
    anna.page.get_by_role("link", name=f"Map of {day}").click()
    found["told"] = [anna.decide("Approve")]
    ben.find_the_day(day)
    found["told"].append(ben.decide("Approve"))
    ben.look(pictures / "review_narrow.png" if pictures else None)
    found["told"].append(ben.decide("Publish"))
    found["between"] = looks(browser, base)
    anna.page.goto(f"{base}/review/{day}")
    found["told"].append(anna.decide("Withdraw"))
    # Sending the same form again, as the browser offers after going back, must not sign twice.
    anna.page.reload()
    settled(anna.page)
    found["records"] = anna.page.locator("#history tbody tr").count()
    found["after"] = looks(browser, base)
    found["anna"], found["ben"] = anna.close(), ben.close()
    return found


def main(day: str, report: str, pictures: str | None = None) -> None:
    loopback_up()
    server, base = serve(ready="/assets/dashboard.css")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM,
                args=["--no-sandbox", "--disable-dev-shm-usage"],
                timeout=90_000,
            )
            found = review(browser, base, day, Path(pictures) if pictures else None)
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=30)
    Path(report).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
