# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium, led by its DevTools protocol: what a person would see of a page, as pictures.

The browser is that of the system: Debian's `chromium`, or Google Chrome.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from PIL import Image
from websockets.sync.client import connect

from m2vae_ros.host.children import stop

NAMES = ("chromium", "google-chrome", "chromium-browser")

PATIENCE = 60.0
"""Seconds for the browser to start."""


def installed() -> str | None:
    """The path of a browser; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in a window that nobody sees; a context manager.

    Args:
        url: of the page.
        width, height: of the window, pixels.
    """

    def __init__(self, url: str, width: int = 1600, height: int = 900) -> None:
        program = installed()
        if program is None:
            raise FileNotFoundError(f"no browser: none of {', '.join(NAMES)} is installed")
        self._open = ExitStack()
        folder = tempfile.TemporaryDirectory(prefix="m2vae-browser-", ignore_cleanup_errors=True)
        self._profile = self._open.enter_context(folder)
        self._numbers = itertools.count(1)
        command = [
            program,
            "--headless=new",
            "--no-sandbox",  # which root must do without
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--use-angle=swiftshader",  # WebGL without a graphics card
            "--enable-unsafe-swiftshader",
            "--ignore-gpu-blocklist",
            "--hide-scrollbars",
            f"--window-size={width},{height}",
            f"--user-data-dir={self._profile}",
            "--remote-debugging-port=0",
            "about:blank",
        ]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._open.callback(stop, [self._process])
        try:
            self._page = self._open.enter_context(connect(self._address(), max_size=None))
            self.resize(width, height)
            dark = [{"name": "prefers-color-scheme", "value": "dark"}]
            self._ask("Emulation.setEmulatedMedia", features=dark)
            self._open_page(url)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser."""
        self._open.close()

    def resize(self, width: int, height: int) -> None:
        """Another size of the window, pixels. What is drawn without a graphics card is slow."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", **size)

    def click(self, x: float, y: float) -> None:
        """Click at a place, pixels."""
        for what in ("mousePressed", "mouseReleased"):
            where = {"x": x, "y": y, "button": "left", "clickCount": 1}
            self._ask("Input.dispatchMouseEvent", type=what, **where)

    def picture(self) -> Image.Image:
        """What the page shows now."""
        shot = self._ask("Page.captureScreenshot", format="png")
        return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._page.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := self._hear()).get("id") != number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    def _open_page(self, url: str) -> None:
        # The load of this page, not of the blank one it takes the place of: a picture that is
        # asked of a page that is being left never comes.
        self._ask("Page.enable")
        self._ask("Page.setLifecycleEventsEnabled", enabled=True)
        asked = self._ask("Page.navigate", url=url)
        if "errorText" in asked:
            raise RuntimeError(f"{url}: {asked['errorText']}")
        loaded = (asked["loaderId"], "load")
        while True:
            of = self._hear().get("params", {})
            if (of.get("loaderId"), of.get("name")) == loaded:
                return

    def _hear(self) -> dict[str, Any]:
        return dict(json.loads(self._page.recv(PATIENCE)))

    def _address(self) -> str:
        """That of the page's end of the protocol."""
        ports = Path(self._profile, "DevToolsActivePort")
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            if ports.exists() and (lines := ports.read_text().split()):
                listing = f"http://127.0.0.1:{lines[0]}/json/list"
                with urllib.request.urlopen(listing, timeout=PATIENCE) as answer:
                    for page in json.load(answer):
                        if page["type"] == "page":
                            return str(page["webSocketDebuggerUrl"])
            time.sleep(0.1)
        raise RuntimeError(f"the browser has no page after {PATIENCE:g} s")
