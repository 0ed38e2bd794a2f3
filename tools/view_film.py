# SPDX-License-Identifier: Apache-2.0
"""Makes a moving picture of a recording of `m2vae view --save`, as a browser shows it.

    ./run python -m tools.view_film team.rrd docs/demo.webp

Each frame is of a time that is clicked in the viewer's timeline, so frames are evenly apart however
slow drawing without a graphics card is.
"""

from __future__ import annotations

import argparse
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import rerun as rr
from PIL import Image

from tools.browser import Browser

SIZE = (1360, 765)
TIMELINE = (0.20, 0.847, 0.982)
"""Where the viewer has it: its left and right end and its height, as shares of the window."""

BAR = 36
"""Pixels at the top that are the viewer's own and are left out."""

SETTLING = 1.0
"""Seconds in which the viewer draws what it was asked for."""


class _Files(SimpleHTTPRequestHandler):
    """Files that the viewer's page may read."""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def place(share: float) -> tuple[float, float]:
    """Where to click for a time, as a share of the recording."""
    left, right, height = TIMELINE
    return SIZE[0] * (left + share * (right - left)), SIZE[1] * height


def main() -> None:
    """As the module says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("out", type=Path, help=".webp or .gif; .png: the last frame alone")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--start", type=float, default=0.2, help="share that is left out")
    parser.add_argument("--width", type=int, default=1000, help="pixels")
    parser.add_argument("--loading", type=float, default=40.0, help="seconds to wait for it")
    parser.add_argument("--port", type=int, default=9390)
    given = parser.parse_args()

    files = partial(_Files, directory=str(given.recording.resolve().parent))
    server = ThreadingHTTPServer(("127.0.0.1", 0), files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rr.serve_web_viewer(web_port=given.port, open_browser=False)
    data = f"http://127.0.0.1:{server.server_port}/{given.recording.name}"
    frames = []
    with Browser(f"http://127.0.0.1:{given.port}/?url={data}", 320, 200) as browser:
        time.sleep(given.loading)
        browser.resize(*SIZE)
        time.sleep(4 * SETTLING)
        count = 1 if given.out.suffix == ".png" else given.frames
        for share in np.linspace(given.start, 1.0, count):
            if count > 1:
                browser.click(*place(share))
            time.sleep(SETTLING)
            frames.append(browser.picture().crop((0, BAR, *SIZE)))
    server.shutdown()
    if given.out.suffix == ".png":
        frames[0].save(given.out, optimize=True)
        return
    size = (given.width, given.width * (SIZE[1] - BAR) // SIZE[0])
    film = [frame.resize(size, Image.Resampling.LANCZOS) for frame in frames]
    times = [250] * (len(film) - 1) + [2000]  # ms
    how = {"quality": 50, "method": 6} if given.out.suffix == ".webp" else {"optimize": True}
    film[0].save(given.out, save_all=True, append_images=film[1:], duration=times, loop=0, **how)


if __name__ == "__main__":
    main()
