# SPDX-License-Identifier: Apache-2.0
"""Impatience: signals that come while somebody cleans up."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import pytest

from m2vae_ros.bringup.processes import Processes
from m2vae_ros.bringup.specs import simulator
from m2vae_ros.host.signals import postponed

SLOW_TO_END = "trap 'sleep 0.5; exit 0' INT; echo up; while :; do sleep 0.05; done"


@pytest.fixture
def second_thread():
    """To which the kernel may hand a signal, also one that the first thread blocks."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield
    end.set()
    thread.join()


@pytest.fixture
def patient():
    """SIGTERM as a KeyboardInterrupt, too, as in the program."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_the_block(number, second_thread, patient) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    done = []

    def clean_up() -> None:
        with postponed():
            for _ in range(3):
                os.kill(os.getpid(), number)
                time.sleep(0.01)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        clean_up()
    assert done
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_in_another_thread_nothing_happens() -> None:
    seen = []

    def ask() -> None:
        with postponed():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


def test_impatience_does_not_keep_processes_from_being_stopped(second_thread) -> None:
    with Processes([]) as processes:
        folder = processes._scratch.path
        child = subprocess.Popen(["sh", "-c", SLOW_TO_END], stdout=subprocess.PIPE)
        processes._running.append((simulator({"amiro1": ("lidar",)}), child))
        assert child.stdout.readline() == b"up\n"
        impatient = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        impatient.start()
        with child.stdout, pytest.raises(KeyboardInterrupt):
            processes.stop()
        impatient.join()
    assert child.returncode == 0
    assert processes.unclean == []
    assert not folder.exists()
