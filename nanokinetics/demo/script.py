"""Count requests and choose their faults, as a scenario demands. Callers give the time."""

from __future__ import annotations

import email.utils
import math
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from nanokinetics.demo.failures import ScriptedFailure
from nanokinetics.demo.scenario import FAULTS, Fault, Scenario, Throttle, Where

Kind = Literal["watch", "player", "media", "other"]


@dataclass(frozen=True)
class Refused:
    """A refusal by the throttle. retry_after: the value of the header."""

    kind: str
    retry_after: str | None


@dataclass
class Hit:
    """A fault that is reserved for one request. fired: it has happened."""

    fault: Fault
    key: tuple[str, int]
    fired: bool = False


class Script:
    """Counts requests and chooses faults. Safe to call from many threads."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._lock = threading.Lock()
        self._seen: Counter[tuple[str, int]] = Counter()
        self._fired: Counter[tuple[str, int]] = Counter()
        self._verdicts: dict[str, str | ScriptedFailure | None] = {}
        self._accepted = 0
        self._refusing_since: float | None = None
        self._spent = False

    def refusal(self, kind: Kind, now: float) -> Refused | None:
        """Count a request at `now` (seconds) and return None, or refuse it."""
        throttle = self.scenario.throttle
        if throttle is None or throttle.covers not in (
            "all",
            "media" if kind == "media" else "pages",
        ):
            return None
        with self._lock:
            since = self._refusing_since
            if (
                since is not None
                and throttle.seconds is not None
                and now >= since + throttle.seconds
            ):
                since, self._accepted, self._spent = None, 0, not throttle.repeat
            if since is None and (self._accepted < throttle.after or self._spent):
                self._refusing_since = None
                self._accepted += 1
                return None
            self._refusing_since = since = now if since is None else since
        return Refused(throttle.kind, _retry_after(throttle, since, now))

    def fault(self, where: Where, youtube_id: str, itag: int | None = None) -> Hit | None:
        """Reserve the fault of this request. Call `settle` afterwards."""
        return self._next(where, youtube_id, itag, failures=False)

    def settle(self, hit: Hit) -> None:
        """Release a fault that did not happen, since the client left before: it will come later."""
        if not hit.fired:
            with self._lock:
                self._fired[hit.key] -= 1

    def failure(self, youtube_id: str, *, new: bool) -> str | ScriptedFailure | None:
        """The current failure, or its name or text. Each watch page (`new`) chooses it again."""
        video = self.scenario.video(youtube_id)
        if video is None or video.failure is not None:
            return "unavailable" if video is None else video.failure
        if new or youtube_id not in self._verdicts:
            hit = self._next(None, youtube_id, None, failures=True)
            self._verdicts[youtube_id] = hit.fault.what if hit else None
        return self._verdicts[youtube_id]

    def _next(
        self, where: Where | None, youtube_id: str, itag: int | None, *, failures: bool
    ) -> Hit | None:
        video = self.scenario.video(youtube_id)
        found: Hit | None = None
        with self._lock:
            for index, fault in enumerate(video.faults if video else ()):
                if (fault.what not in FAULTS) != failures or (where and fault.where != where):
                    continue
                if fault.itag not in (None, itag):
                    continue
                key = (youtube_id, index)
                self._seen[key] += 1
                left = fault.times is None or self._fired[key] < fault.times
                if found is None and left and self._seen[key] > fault.skip:
                    self._fired[key] += 1
                    found = Hit(fault, key)
        return found


def _retry_after(throttle: Throttle, since: float, now: float) -> str | None:
    wanted = throttle.retry_after
    if wanted is None or wanted is False:
        return None
    if wanted is not True and wanted != "date":
        return str(wanted)
    left = since + (throttle.seconds if throttle.seconds is not None else 3600) - now
    return (
        str(math.ceil(left)) if wanted is True else email.utils.formatdate(now + left, usegmt=True)
    )
