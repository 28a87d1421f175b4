"""The thread that keeps ``aie start`` stoppable, and says so when something holds up everything.

It works beside the event loop, because whatever blocks that one also keeps it from noticing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, Self

import aie

STOP_WITHIN_S = 4.5
ONE_REQUEST_S = 0.3  # Ctrl-C reaches the whole group, and what started aie (timeout, uv run) may pass it on as well
STUCK_S = 10.0
PULSE_S = 1.0
_OWN = str(Path(aie.__file__).parent)


class Watchdog:
    """While inside, Ctrl-C, a request to end and a closed terminal ask aie to stop; a second one ends it at once.

    The thread stays until the process ends: ending an event loop waits for plugins as well.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.code = 0  # with which the process ends if stopping takes too long
        self._queue: queue.SimpleQueue[int] = queue.SimpleQueue()  # the one that is safe to use in a signal handler
        self._stopping: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            number = getattr(signal, name, None)
            # What was ignored when aie started stays so: nohup, and a job in the background of a script.
            if number is not None and (name == "SIGTERM" or signal.getsignal(number) is not signal.SIG_IGN):
                self._before[number] = signal.signal(number, lambda number, _: self.stop(number))
        threading.Thread(target=self._end_in_time, name="aie-watchdog", daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def stop(self, number: int = 0) -> None:
        """Ask to stop; also in a signal handler."""
        self.asked.set()
        self._queue.put(number)
        if self._stopping is not None:
            loop, stopping = self._stopping
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(stopping.set)

    def attach(self) -> asyncio.Event:
        """What the running event loop waits for; from now on it is watched for standing still, too."""
        stopping = asyncio.Event()
        self._stopping = asyncio.get_running_loop(), stopping
        if self.asked.is_set():
            stopping.set()
        threading.Thread(target=self._listen, args=self._stopping, name="aie-pulse", daemon=True).start()
        return stopping

    def _end_in_time(self) -> None:
        self._queue.get()
        asked_s = time.monotonic()
        try:
            while time.monotonic() < asked_s + ONE_REQUEST_S:
                self._queue.get(timeout=asked_s + STOP_WITHIN_S - time.monotonic())
        except queue.Empty:
            say("Warning: a plugin did not stop in time and was cut off; nothing is lost.")
            os._exit(self.code)
        say("Stopped at once. What was under way goes on with the next start.")
        os._exit(130)

    def _listen(self, loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
        """Say so, once for each time, when the event loop does not turn for ``STUCK_S``."""
        main = threading.main_thread().ident
        last_s = looked_s = time.monotonic()
        told = False

        def beat() -> None:
            nonlocal last_s, told
            last_s, told = time.monotonic(), False

        while not stopping.is_set() and not loop.is_closed():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(beat)
            time.sleep(PULSE_S)
            now_s = time.monotonic()
            if now_s - looked_s > 2 * PULSE_S:
                last_s = now_s  # the whole process stood still, not just the loop
            looked_s = now_s
            if now_s - last_s > STUCK_S and not told:
                told = True
                place = _place(sys._current_frames().get(main or 0))
                say(
                    f"Warning: aie stands still, because {place} has not let go for {STUCK_S:g} s. If it does not end, "
                    "stop aie; whoever wrote it must not block in an async function."
                )


def _place(frame: Any) -> str:
    """The function outside aie that was called from aie last, for a person."""
    frames = traceback.extract_stack(frame) if frame is not None else []
    own = [index for index, one in enumerate(frames) if one.filename.startswith(_OWN)]
    beyond = frames[own[-1] + 1 :] if own else []
    for one in beyond or frames[-1:]:
        return f"{one.name} ({one.filename}, line {one.lineno})"
    return "something"


def say(text: str) -> None:
    """A line to standard error, past all buffers, if anybody can still read it."""
    with contextlib.suppress(OSError):
        os.write(2, (text + "\n").encode("utf-8", "replace"))
