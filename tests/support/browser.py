"""A real browser without a window: Chromium, driven by chromedriver over the WebDriver protocol (W3C).

Both come with the system (Debian and Ubuntu: ``apt-get install chromium chromium-driver``); nothing is downloaded. Of
the protocol the tests need a dozen addresses, which is less than a package for it would bring.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

DRIVERS = ("chromedriver", "chromium.chromedriver")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the protocol gives an element by
KEYS = {"tab": "\ue004", "enter": "\ue007", "space": " ", "right": "\ue014", "down": "\ue015", "left": "\ue012"}
PATIENCE = 30.0  # seconds, for a busy machine


@functools.cache
def programs() -> tuple[str, str] | None:
    """Paths of chromedriver and of a browser; None where one is missing, or does not start.

    A browser in a snap does not count: it sees neither the temporary files of the tests nor where to put its own.
    """
    found = [next(filter(_starts, filter(None, map(shutil.which, names))), None) for names in (DRIVERS, BROWSERS)]
    return (found[0], found[1]) if all(found) else None


def _starts(path: str) -> bool:
    if "/snap" in os.path.realpath(path):
        return False
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=PATIENCE, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


class Browser:
    """One window. What the page writes to its console is collected."""

    def __init__(self, client: httpx.Client, session: str):
        self._client, self._session = client, session

    def _ask(self, method: str, path: str, **content):
        response = self._client.request(
            method, f"/session/{self._session}/{path}", json=content if method == "POST" else None
        )
        value = response.json()["value"]
        if response.is_error:
            raise RuntimeError(f"{value['error']}: {value['message']}")
        return value

    def open(self, address: str) -> None:
        self._ask("POST", "url", url=address)

    def run(self, script: str, *arguments):
        """What a script returns; ``arguments[0]`` is its first argument. A promise is waited for."""
        return self._ask("POST", "execute/sync", script=script, args=list(arguments))

    def cdp(self, command: str, **parameters):
        """A command of Chromium's own protocol."""
        return self._ask("POST", "goog/cdp/execute", cmd=command, params=parameters)

    def _element(self, selector: str) -> str:
        return self._ask("POST", "element", using="css selector", value=selector)[ELEMENT]

    def click(self, selector: str) -> None:
        """As a person does: what lies under something else cannot be clicked."""
        self._ask("POST", f"element/{self._element(selector)}/click")

    def choose(self, selector: str, file: Path) -> None:
        """Give a file to an input of files."""
        self._ask("POST", f"element/{self._element(selector)}/value", text=str(file))

    def press(self, *keys: str) -> None:
        """Keys, one after the other, wherever the focus is: names of `KEYS`, or a letter."""
        steps = [{"type": kind, "value": KEYS.get(key, key)} for key in keys for kind in ("keyDown", "keyUp")]
        self._ask("POST", "actions", actions=[{"type": "key", "id": "keyboard", "actions": steps}])

    def text(self, selector: str) -> str:
        """What can be read there, as a person sees it."""
        return self._ask("GET", f"element/{self._element(selector)}/text")

    def visible(self, selector: str) -> bool:
        return self.run("const e = document.querySelector(arguments[0]); return !!e && e.checkVisibility()", selector)

    def wait(self, condition: Callable[[], object], what: str):
        """Until the condition is true; its value."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if value := condition():
                return value
            time.sleep(0.05)
        raise AssertionError(
            f"after {PATIENCE:.0f} s: {what}. The page reads:\n{self.run('return document.body.innerText')}"
        )

    def wait_for_text(self, selector: str, text: str) -> None:
        self.wait(lambda: text in self.text(selector), f"{selector} does not read {text!r}")

    def size(self, width: int, height: int, dark: bool = False) -> None:
        """As on a screen of this many points: narrower than a window of the desktop can be."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = "dark" if dark else "light"
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def windows(self) -> list[str]:
        """Handles of all windows that are open."""
        return self._ask("GET", "window/handles")

    def turn_to(self, window: str) -> None:
        """From now on this window is meant."""
        self._ask("POST", "window", handle=window)

    def close(self) -> None:
        """The window that is meant."""
        self._ask("DELETE", "window")

    def picture(self):
        """The whole page as a Pillow image."""
        from PIL import Image

        shot = self.cdp("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        return Image.open(io.BytesIO(base64.b64decode(shot)))

    def controls(self) -> list[tuple[str, str]]:
        """Role and name of everything that can have the focus, as a screen reader is told."""
        nodes = self.cdp("Accessibility.getFullAXTree")["nodes"]
        found = []
        for node in nodes:
            properties = {each["name"]: each["value"].get("value") for each in node.get("properties", [])}
            if not node["ignored"] and properties.get("focusable") and node["role"]["value"] != "RootWebArea":
                found.append((node["role"]["value"], node.get("name", {}).get("value", "")))
        return found

    def requests(self) -> tuple[list[str], list[str]]:
        """Addresses that were asked for since the last call, and what failed of them with its reason.

        Only where `browser` was told to watch the network.
        """
        asked, failed = {}, []
        for entry in self._ask("POST", "se/log", type="performance"):
            event = json.loads(entry["message"])["message"]
            given = event["params"]
            if event["method"] == "Network.requestWillBeSent":
                asked[given["requestId"]] = given["request"]["url"]
            elif event["method"] == "Network.loadingFailed" and not given.get("canceled"):
                failed.append(f"{asked.get(given['requestId'], '?')}: {given['errorText']}")
            elif event["method"] == "Network.responseReceived" and given["response"]["status"] >= 400:
                failed.append(f"{given['response']['url']}: {given['response']['status']}")
        return list(asked.values()), failed

    def console(self) -> list[str]:
        """What the page complained about since the last call."""
        entries = self._ask("POST", "se/log", type="browser")
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]


@contextlib.contextmanager
def browser(downloads: Path, *more: str, watch: bool = False) -> Iterator[Browser]:
    """Start Chromium with a profile of its own; what it downloads goes to a folder.

    Args:
        downloads: the folder.
        *more: further arguments of the browser.
        watch: note every request, for `Browser.requests`.
    """
    driver, binary = programs()
    arguments = [
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
        "--no-first-run",
        *more,
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--no-sandbox")  # it cannot be had as root
    options = {
        "binary": binary,
        "args": arguments,
        "prefs": {"download.default_directory": str(downloads), "download.prompt_for_download": False},
    }
    logs = {"browser": "ALL"} | ({"performance": "ALL"} if watch else {})
    capabilities = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": logs}
    process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = next(filter(None, (re.search(r"successfully on port (\d+)", line) for line in process.stdout)))[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=2 * PATIENCE, trust_env=False) as client:
            made = client.post("/session", json={"capabilities": {"alwaysMatch": capabilities}}).json()["value"]
            if "sessionId" not in made:
                raise RuntimeError(f"{made['error']}: {made['message']}")
            try:
                yield Browser(client, made["sessionId"])
            finally:
                client.delete(f"/session/{made['sessionId']}")
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
