"""A headless Chromium for tests of HTML pages, driven as the W3C's WebDriver describes.

WebDriver is JSON over HTTP (https://www.w3.org/TR/webdriver2/, section 6 on), so that Debian's
`chromium` and `chromium-driver` and the standard library are all that is needed.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Keys that have no character; WebDriver, section 17.4.2.
ENTER, TAB, SPACE = "\ue007", "\ue004", " "
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_STARTED = re.compile(r"started successfully on port (\d+)")
_PATIENCE = 60  # seconds for one answer: a browser starts slowly on a busy machine


class BrowserError(Exception):
    """The driver refused a command; the message is the driver's."""


class Browser:
    """One window. Scripts that a test runs are run even where a page's own are forbidden."""

    def __init__(self, driver: str, capabilities: dict[str, Any]) -> None:
        self._url = driver + "/session"
        session = self._call("POST", "", {"capabilities": {"alwaysMatch": capabilities}})
        self._url += "/" + session["sessionId"]

    def open(self, path: Path) -> None:
        """Loads a file and waits for its `load` event."""
        # Leaving the former page: one that differs in its fragment alone is not loaded again.
        for url in ("about:blank", path.resolve().as_uri()):
            self._call("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        """What the body of a JavaScript function returns: `return document.title`."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def texts(self, selector: str) -> list[str]:
        """The text of each element that matches and can be seen."""
        return list(
            self.run(
                "return [...document.querySelectorAll(arguments[0])]"
                ".filter(e => e.checkVisibility({visibilityProperty: true}))"
                ".map(e => e.innerText.trim())",
                selector,
            )
        )

    def click(self, selector: str) -> None:
        """Clicks as a mouse does: an element that is covered or hidden is refused."""
        self._call("POST", f"/element/{self._find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Puts the focus on an element and types."""
        self._call("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def press(self, key: str) -> None:
        """Presses a key where the focus is."""
        strokes = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        actions = [{"type": "key", "id": "keyboard", "actions": strokes}]
        self._call("POST", "/actions", {"actions": actions})

    def emulate(self, **features: str) -> None:
        """Sets media features: `emulate(prefers_color_scheme="dark")`; `media="print"`."""
        listed = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        media = {"media": features.get("media", ""), "features": listed}
        self._command("Emulation.setEmulatedMedia", media)

    def screenshot(self, path: Path, width: int, height: int) -> None:
        """Writes a PNG of the window at that size in CSS pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._command("Emulation.setDeviceMetricsOverride", size)
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def complaints(self) -> list[str]:
        """What the console has told since the last call: errors of scripts, refused content."""
        entries = self._call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries]

    def requests(self) -> list[str]:
        """The URLs that pages have asked for since the last call, without the browser's own."""
        entries = self._call("POST", "/se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        asked = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        urls = [parameters["request"]["url"] for parameters in asked]
        return [url for url in urls if not url.startswith(("about:", "chrome:", "data:"))]

    def close(self) -> None:
        self._call("DELETE", "")

    def _find(self, selector: str) -> str:
        found = self._call("POST", "/element", {"using": "css selector", "value": selector})
        return str(found[_ELEMENT])

    def _command(self, command: str, parameters: dict[str, Any]) -> Any:
        """A command of Chromium's own protocol, where WebDriver has none."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, method=method)
        # No proxy: the driver listens on this machine only.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_PATIENCE) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise BrowserError(f"{value['error']}: {value['message']}") from None


@contextmanager
def browser(folder: Path, javascript: bool = True) -> Iterator[Browser]:
    """A browser with its profile in an empty folder. `javascript`: whether pages may have any."""
    arguments = [
        "--headless=new",
        "--no-sandbox",  # Chromium refuses root otherwise; the pages are the tests' own
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1280,900",
        "--force-color-profile=srgb",
        f"--user-data-dir={folder / 'profile'}",
    ]
    preferences = {} if javascript else {"profile.managed_default_content_settings.javascript": 2}
    capabilities: dict[str, Any] = {
        "browserName": "chrome",
        "goog:chromeOptions": {"args": arguments, "prefs": preferences},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    environment = {**os.environ, "HOME": str(folder), "LANG": "C.UTF-8"}
    with subprocess.Popen(
        ["chromedriver", "--port=0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as driver:
        try:
            assert driver.stdout is not None
            told = ""
            while not (started := _STARTED.search(told)):
                line = driver.stdout.readline()
                if not line:
                    raise BrowserError(f"chromedriver ended: {told}")
                told += line
            window = Browser(f"http://127.0.0.1:{started.group(1)}", capabilities)
            try:
                yield window
            finally:
                window.close()
        finally:
            driver.terminate()
