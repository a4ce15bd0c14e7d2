"""Processes that run one forward pass a line, and taking turns between two of them."""

import json
import os
import pathlib
import queue
import subprocess
import threading
import time

# Between turns, so that threads which wait for more work by spinning are asleep when the other runs.
PAUSE_S = 0.05
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A process did not do what it was asked; the text says why."""


class Lockstep:
    """A process that answers every line with the milliseconds of one pass, and at the end of its input
    with JSON: `mirage infer --lockstep` and worker.py."""

    def __init__(self, command, environment, log, memory_limit):
        self.name = pathlib.Path(command[0]).name
        self.log = log
        self.memory_limit = memory_limit
        self.peak_bytes = 0
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def _answer(self, limit_s):
        """The next line, or None at the end; watches the time and the memory meanwhile."""
        deadline = time.monotonic() + limit_s
        while True:
            try:
                return self.lines.get(timeout=0.25)
            except queue.Empty:
                pass
            used = self.resident_bytes()
            self.peak_bytes = max(self.peak_bytes, used)
            if used > self.memory_limit:
                self.kill()
                raise Failed(f"it took more than {self.memory_limit / 2**30:.0f} GiB of memory")
            if time.monotonic() > deadline:
                self.kill()
                raise Failed(f"it did not answer within {limit_s:.0f} s")

    def turn(self, limit_s):
        """Runs one pass; its milliseconds."""
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._answer(limit_s)
        if line is None:
            raise Failed(self._last_words())
        return float(line)

    def close(self, limit_s=60):
        """Ends it; what it tells of itself."""
        self.process.stdin.close()
        rest = ""
        while (line := self._answer(limit_s)) is not None:
            rest += line
        self.process.wait()
        return json.loads(rest) if rest.strip() else {}

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _last_words(self):
        code = self.process.wait()
        lines = pathlib.Path(self.log).read_text(errors="replace").strip().splitlines()
        last = lines[-1].strip()[:300] if lines else "it said nothing"
        return last if code == 3 else f"{last} (exit code {code})"

    def resident_bytes(self):
        """Of the process and its children, which compile for it."""
        return sum(resident(pid) for pid in tree(self.process.pid))

    def cpu_s(self):
        """Seconds of processor time so far."""
        try:
            fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / TICKS


def tree(pid):
    try:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid] + [p for child in children for p in tree(int(child))]


def resident(pid):
    try:
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def take_turns(first, second, seconds, least, limit_s):
    """Times of both in the order first, second, second, first, and again (ABBA), until `seconds` are over
    and each has run `least` times. Also the processor time that the one who waited took, as a share."""
    times = ([], [])
    idle_cpu = idle_wall = 0.0
    start = time.monotonic()
    while time.monotonic() - start < seconds or len(times[0]) < least:
        for at in (0, 1, 1, 0):
            time.sleep(PAUSE_S)
            runs, waits = (first, second) if at == 0 else (second, first)
            before, began = waits.cpu_s(), time.monotonic()
            times[at].append(runs.turn(limit_s))
            idle_cpu += waits.cpu_s() - before
            idle_wall += time.monotonic() - began
    return times[0], times[1], idle_cpu / idle_wall


def warm_up(process, seconds, limit_s):
    """Runs until `seconds` are over, at least once, and gives the times."""
    times = []
    start = time.monotonic()
    while not times or time.monotonic() - start < seconds:
        times.append(process.turn(limit_s))
    return times
