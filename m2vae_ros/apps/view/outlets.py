# SPDX-License-Identifier: Apache-2.0
"""Where the view is shown: a window, a page for browsers, a viewer elsewhere, a file."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import rerun as rr

APPLICATION = "m2vae_ros"

MEMORY = "512MiB"
"""That is kept for browsers that come late; the oldest goes first."""


@dataclass(frozen=True)
class Outlet:
    """What the user asked for.

    Attributes:
        save: a file to record into; None for none.
        headless: open nothing, whether there is a display or not.
        port: of the page for browsers; that of the data is the next.
        connect: address of a viewer that runs already, "rerun+http://HOST:9876/proxy"; "" for none.
    """

    save: Path | None = None
    headless: bool = False
    port: int = 9090
    connect: str = ""

    def opens_window(self, environment: Mapping[str, str] = os.environ) -> bool:
        """Whether the native viewer is started."""
        if self.headless or self.connect:
            return False
        return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))

    def open(self) -> tuple[rr.RecordingStream, str]:
        """A recording that goes where it should, and what to tell the user.

        Raises:
            OSError: a port is taken, or the file cannot be written.
            RuntimeError: as above.
        """
        serves = not (self.connect or self.opens_window())
        if serves:
            _must_be_free(self.port, self.port + 1)
        recording = rr.RecordingStream(APPLICATION)
        sinks: list[rr.sinks.LogSinkLike] = []
        said = []
        if self.save is not None:
            with self.save.open("wb"):  # an error that says what is wrong, if anything is
                pass
            sinks.append(rr.FileSink(str(self.save)))
            said.append(f"recording into {self.save}; look at it with: rerun {self.save}")
        if self.connect:
            sinks.append(rr.GrpcSink(self.connect))
            said.append(f"sending to {self.connect}")
        elif not serves:
            rr.spawn(connect=False, hide_welcome_screen=True)
            sinks.append(rr.GrpcSink())
            said.append("the viewer opens")
        else:
            sinks.append(rr.GrpcServerSink("127.0.0.1", self.port + 1, server_memory_limit=MEMORY))
            data = f"rerun+http://127.0.0.1:{self.port + 1}/proxy"
            rr.serve_web_viewer(web_port=self.port, open_browser=False, connect_to=data)
            said.append(f"open {self.page} in a browser")
        recording.set_sinks(*sinks)
        return recording, "; ".join(said)

    @property
    def page(self) -> str:
        """The address of the page for browsers."""
        data = f"rerun%2Bhttp%3A%2F%2F127.0.0.1%3A{self.port + 1}%2Fproxy"
        return f"http://127.0.0.1:{self.port}/?url={data}"


def _must_be_free(*ports: int) -> None:
    for port in ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
            try:
                probe.bind(("127.0.0.1", port))
            except (OSError, OverflowError) as error:  # taken, not allowed; or no port at all
                raise OSError(
                    f"port {port} cannot be used: {error}; maybe another view has it: --port "
                    "chooses others, that one and the next"
                ) from error
