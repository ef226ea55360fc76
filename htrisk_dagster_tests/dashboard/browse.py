"""Opens every page in Chromium, uses every control, and writes down what happened.

Run inside a network namespace that has loopback and nothing else:
`unshare -rn python browse.py SNAPSHOTS REPORT.json [PICTURES]`. A request to anywhere else cannot be answered
there, and is written down besides.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
PATHS = (
    "/", "/boroughs", "/forecasts", "/models", "/patterns", "/funnel", "/hot-places", "/cases",
    "/officers", "/about",
)  # fmt: skip
SMALLEST = 320  # the narrowest phone that is asked for, WCAG 2.2's criterion 1.4.10
_PATIENCE_MS = 90_000
_GRAVE = ("serious", "critical")
_OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return Array.from(document.querySelectorAll("body *"))
    .filter(element => element.getBoundingClientRect().right > width)
    .map(element => element.outerHTML.slice(0, 120));
}"""


def loopback_up() -> None:
    """Switch the namespace's loopback on, as `ip link set lo up` does (netdevice(7))."""
    flags_of, set_flags, up = 0x8913, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(probe, flags_of, request))[1]
        fcntl.ioctl(probe, set_flags, struct.pack("16sh22x", b"lo", flags | up))


def interfaces() -> list[str]:
    return sorted(name for _, name in socket.if_nameindex())


def serve(*options: str, ready: str = "/data/drawing") -> tuple[subprocess.Popen[bytes], str]:
    """Start the dashboard with options of the command; wait until the address `ready` is answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "htrisk_dagster.cli", "dashboard", "--port", str(port),
        "--dagster", "http://127.0.0.1:3000", "--mlflow", "http://127.0.0.1:5000", *options,
    ]  # fmt: skip
    server, base = subprocess.Popen(command), f"http://127.0.0.1:{port}"
    until = time.monotonic() + _PATIENCE_MS / 1000
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(base + ready, timeout=20):
                return server, base
        except OSError:
            time.sleep(0.3)
    server.terminate()
    raise TimeoutError("the dashboard did not answer")


class Watched:
    """A page of the browser and what went wrong on it."""

    def __init__(self, browser: Browser, base: str, *, width: int, scheme: str) -> None:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        context.set_default_timeout(_PATIENCE_MS)
        self.base, self.page = base, context.new_page()
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.months: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)[:400]))
        self.page.on("request", self._see)

    def _hear(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text[:400])

    def _see(self, request: Any) -> None:
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.outside.append(request.url)
        if "/data/risk/" in request.url:
            self.months.append(request.url.rsplit("/", 1)[1])

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        self.page.wait_for_selector("#page h1")
        settled(self.page)
        return self.page

    def grave(self) -> list[str]:
        found = Axe().run(self.page).response["violations"]
        return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in _GRAVE]

    def overflow(self, width: int | None = None) -> list[str]:
        """What reaches over the right edge of a page that scrolls sideways, innermost last.

        In the window as it is, or in one of another width for the while; charts follow it after a moment.
        """
        before = self.page.viewport_size
        if not width or not before:
            as_it_is: list[str] = self.page.evaluate(_OVERFLOW)
            return as_it_is
        self.page.set_viewport_size({"width": width, "height": before["height"]})
        until = time.monotonic() + _PATIENCE_MS / 1000 / 6
        found: list[str] = self.page.evaluate(_OVERFLOW)
        while found and time.monotonic() < until:
            self.page.wait_for_timeout(200)
            found = self.page.evaluate(_OVERFLOW)
        self.page.set_viewport_size(before)
        return found


def settled(page: Page) -> None:
    """Wait until nothing is asked of the server and no chart is on its way."""
    page.wait_for_load_state("networkidle")
    # No wait_for_function: it evaluates text in the page, which the page's own policy forbids.
    page.wait_for_selector("[data-dash-is-loading=true]", state="detached")
    page.wait_for_timeout(150)


def use_every_control(page: Page) -> dict[str, int]:
    """Click, choose and open everything once within the page; return how many of each kind."""
    used = {"choices": 0, "switches": 0, "segments": 0, "details": 0, "buttons": 0}
    for label in page.locator("#page .mantine-SegmentedControl-label:visible").all():
        label.click()
        settled(page)
        used["segments"] += 1
    for choice in page.locator("#page input.mantine-Select-input:visible").all():
        choice.click()
        page.locator("[role=option]:visible").last.click()
        settled(page)
        used["choices"] += 1
    for switch in page.locator("#page [role=switch]:visible").all():
        switch.click()
        settled(page)
        used["switches"] += 1
    for button in page.locator("#page button[type=button]:visible:not(:disabled)").all():
        if button.get_attribute("id"):
            button.click()
            used["buttons"] += 1
    settled(page)
    for summary in page.locator("#page summary:visible").all():
        summary.click()
        used["details"] += 1
    settled(page)
    return used


def see_pages(browser: Browser, base: str, pictures: str | None) -> dict[str, Any]:
    """Each page wide and light, then narrow and dark; a picture of each where a folder is given."""
    seen: dict[str, Any] = {}
    for kind, width, scheme in (("wide", 1400, "light"), ("narrow", 390, "dark")):
        watched = Watched(browser, base, width=width, scheme=scheme)
        for path in PATHS:
            page = watched.open(path)
            about: dict[str, Any] = {
                "title": page.title(),
                "heading": page.locator("main h1").inner_text(),
                "panels": page.locator(".panel").count(),
                "explained": page.locator(".panel > .top summary").count(),
                "grave": watched.grave(),
                "overflow": watched.overflow(),
                "overflow_smallest": watched.overflow(SMALLEST) if kind == "narrow" else [],
                "ground": page.evaluate("getComputedStyle(document.body).backgroundColor"),
            }
            if pictures:
                name = f"{kind}_{path.strip('/') or 'map'}.png"
                page.screenshot(path=Path(pictures) / name, full_page=True)
            if kind == "wide":
                about["used"] = use_every_control(page)
                about["grave_after"] = watched.grave()
            about["errors"], about["outside"] = list(watched.errors), list(watched.outside)
            watched.errors.clear()
            watched.outside.clear()
            seen[f"{kind} {path}"] = about
        watched.page.context.close()
    return seen


def walk_and_return(page: Page) -> str:
    """Walk one cell by the arrow keys and back; return what was read there. East may be the sea."""
    readout = page.locator("#map-readout")
    here = readout.inner_text()
    for there, back in (("Right", "Left"), ("Left", "Right"), ("Up", "Down")):
        page.keyboard.press(f"Arrow{there}")
        if (walked := readout.inner_text()) != here:
            page.keyboard.press(f"Arrow{back}")
            return walked
    return here


def use_the_map(browser: Browser, base: str) -> dict[str, Any]:
    """Step days, walk cells by keyboard, change views, follow a permalink, toggle the scheme."""
    watched = Watched(browser, base, width=1400, scheme="light")
    page = watched.open("/")
    svg = page.locator("#risk-map svg[data-day]")
    svg.wait_for()
    last = svg.get_attribute("data-day")
    began = time.monotonic()
    page.click("#day-earlier")
    page.wait_for_selector(f"#risk-map svg[data-day]:not([data-day='{last}'])")
    step_s = time.monotonic() - began
    months = list(watched.months)
    before = svg.get_attribute("data-day")
    settled(page)
    svg.focus()
    readout = page.locator("#map-readout").inner_text()
    walked = walk_and_return(page)
    page.keyboard.press("Enter")
    page.wait_for_selector("#cell-panel dl")
    settled(page)
    page.locator("#map-view").get_by_text("Faded").click()
    page.wait_for_selector("#risk-map svg[data-view=faded]")
    faded = page.locator("#risk-map rect[class*=' f']").count()
    page.locator("#map-view").get_by_text("Uncertainty").click()
    page.wait_for_selector("#risk-map svg[data-view=uncertainty]")
    kinds = page.evaluate(
        "[...new Set(Array.from(document.querySelectorAll('#risk-map g > rect[class]'), "
        "rect => rect.className.baseVal))]"
    )
    page.locator("#with-cases").click()
    page.wait_for_selector(".borough-label .cases:not(:empty)", state="attached")
    cases = page.locator(".borough-label .cases").all_text_contents()
    link = page.url
    panel = page.locator("#cell-panel dl").inner_text()
    page.click("#scheme")
    dark = page.evaluate("document.documentElement.dataset.mantineColorScheme")
    page.goto(link)
    page.wait_for_selector("#risk-map svg[data-view=uncertainty]")
    page.wait_for_selector("#cell-panel dl")
    settled(page)
    again = {
        "day": svg.get_attribute("data-day"),
        "view": svg.get_attribute("data-view"),
        "panel": page.locator("#cell-panel dl").inner_text(),
        "scheme": page.evaluate("document.documentElement.dataset.mantineColorScheme"),
    }
    file = page.request.get(f"{base}/download/risk/{before}.csv")
    first = next(csv.DictReader(io.StringIO(file.text())))
    found = {
        "last": last,
        "before": before,
        "step_s": step_s,
        "months": months,
        "readout": readout,
        "walked": walked,
        "faded": faded,
        "kinds": sorted(kinds),
        "cases": cases,
        "link": link,
        "panel": panel,
        "dark": dark,
        "again": again,
        "first_of_file": first,
        "errors": watched.errors,
        "outside": watched.outside,
    }
    page.context.close()
    return found


def main(folder: str, report: str, pictures: str | None = None) -> None:
    loopback_up()
    server, base = serve("--snapshot", folder, "--drafts")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM,
                args=["--no-sandbox", "--disable-dev-shm-usage"],
                timeout=_PATIENCE_MS,
            )
            found = {
                "interfaces": interfaces(),
                "map": use_the_map(browser, base),
                "pages": see_pages(browser, base, pictures),
            }
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=30)
    Path(report).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
