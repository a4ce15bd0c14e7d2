"""Measuring one case: every mode of a peer is tried, and its best takes turns with Mirage."""

import datetime
import os
import statistics

import cases
import engines
import intervals
from turns import Failed, take_turns, warm_up

# A pass that takes longer is measured twice, without an interval, so that a table ends the same day.
SLOW_MS = 5000


class CaseRun:
    """One case; its results are saved as they come."""

    def __init__(self, settings, material, store):
        self.settings = settings
        self.material = material
        self.case = material.case
        self.store = store
        self.running = None
        self.mirage_error = None

    def peer(self, peer, say):
        """Measures Mirage against a peer, unless that is done."""
        if self.store.has_peer(peer):
            return
        modes = engines.PEERS[peer]
        screens = {mode: self.screen(mode, say) for mode in modes if len(modes) > 1}
        able = {mode: s["ms"] for mode, s in screens.items() if "ms" in s}
        if screens and not able:
            reasons = "; ".join(f"{mode}: {s['failed']}" for mode, s in screens.items())
            return self.store.save_peer(peer, {"failed": shared_reason(screens) or reasons})
        best = min(able, key=able.get) if able else modes[0]
        say(f"{peer} ({best}) and Mirage in turns")
        try:
            result = self.in_turns(best)
        except Failed as reason:
            result = {"mode": best, "failed": str(reason)}
        self.store.save_peer(peer, result)

    def prepare(self, peer, say):
        """Makes what later runs keep: exported networks and compiled code. Times nothing."""
        for mode in engines.PEERS[peer]:
            say(f"preparing {mode}")
            try:
                worker, error = self.checked_worker(mode)
            except Failed as reason:
                say(f"{mode}: {reason}")
                continue
            worker.kill()
            say(f"{mode}: error {error:.1e}")

    def screen(self, mode, say):
        """How long a mode takes by itself, for choosing the best; or why it does not run."""
        if self.store.has_screen(mode):
            return self.store.screen(mode)
        say(f"trying {mode}")
        result = {"load": os.getloadavg()[0]}
        worker = None
        try:
            worker, error = self.checked_worker(mode)
            warm_up(worker, self.settings.seconds / 4, self.settings.limit_s)
            times = warm_up(worker, self.settings.seconds / 4, self.settings.limit_s)
            result |= {"ms": statistics.median(times), "error": error, "samples_ms": times}
            result |= {"peak_bytes": worker.peak_bytes} | worker.close()
        except Failed as reason:
            result["failed"] = str(reason)
        finally:
            if worker is not None:
                worker.kill()
        self.store.save_screen(mode, result)
        return result

    def checked_worker(self, mode):
        """A worker that is ready and whose output is within the bound, and the output's error."""
        config = self.store.config
        needed = cases.score_bytes(config, self.case)
        if mode in engines.MATERIALIZES and needed > self.settings.memory_limit:
            raise Failed(
                f"not run: it writes attention's scores out, here {needed / 2**30:.0f} GiB at once, and "
                f"{self.settings.memory_limit / 2**30:.0f} GiB are there for it"
            )
        output = self.material.outputs.with_name(f"{self.case.name}-{mode}-output.safetensors")
        output.unlink(missing_ok=True)
        worker = self.material.worker(mode, self.case.dtype, output)
        try:
            worker.turn(self.settings.limit_s)
            return worker, self.within_bound(output)
        except BaseException:
            worker.kill()
            raise
        finally:
            output.unlink(missing_ok=True)

    def within_bound(self, output):
        error, bound = self.material.error(output), cases.BOUNDS[self.case.dtype]
        if not error <= bound:
            raise Failed(f"not timed: its output is off by {error:.1e}, the bound is {bound:.0e}")
        return error

    def mirage(self):
        """Mirage, started once for all peers, ready and within the bound."""
        if self.running is None:
            self.material.outputs.unlink(missing_ok=True)
            self.running = self.material.mirage()
            self.running.turn(self.settings.limit_s)
            self.mirage_error = self.within_bound(self.material.outputs)
        return self.running

    def in_turns(self, mode):
        settings = self.settings
        try:
            mirage = self.mirage()
        except Failed as reason:
            raise Failed(f"Mirage: {reason}") from reason
        worker, error = self.checked_worker(mode)
        try:
            for process in (worker, mirage):
                last = warm_up(process, settings.seconds / 4, settings.limit_s)[-1]
            least = 2 if last > SLOW_MS else intervals.MIN_SAMPLES
            load = os.getloadavg()[0]
            theirs, ours, idle = take_turns(worker, mirage, settings.seconds, least, settings.limit_s)
            told = worker.close()
        finally:
            worker.kill()
        ratio = intervals.ratio(theirs, ours)
        return told | {
            "mode": mode,
            "peer_ms": statistics.median(theirs),
            "mirage_ms": statistics.median(ours),
            "ratio": ratio,
            "peer_error": error,
            "mirage_error": self.mirage_error,
            "peer_samples_ms": theirs,
            "mirage_samples_ms": ours,
            "cpu_share_of_who_waits": idle,
            "load": load,
            "peer_peak_bytes": worker.peak_bytes,
            "mirage_peak_bytes": mirage.peak_bytes,
            "measured_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        }

    def end(self):
        if self.running is not None:
            self.running.kill()
            self.running = None


def shared_reason(screens):
    """The reason, if all modes have the same."""
    reasons = {s["failed"] for s in screens.values()}
    return reasons.pop() if len(reasons) == 1 else None
