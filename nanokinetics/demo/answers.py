"""The answers of the site: pages, bytes of films, and scripted faults."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nanokinetics.demo import least, pages
from nanokinetics.demo.failures import ScriptedFailure, named
from nanokinetics.demo.log import Entry, Log
from nanokinetics.demo.scenario import Fault, Scenario, Video
from nanokinetics.demo.script import Hit, Kind, Refused, Script
from nanokinetics.demo.wire import Answer, Asked, FilePart

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

    from nanokinetics.demo.films import FilmStore, FilmStream

HOSTS = ("youtube.com", "youtu.be", "googlevideo.com", "ytimg.com", "youtube-nocookie.com")
FILES_HOST = "annotations.demo.test"
"""The host of small files beside YouTube's. Nobody can own a name that ends with `.test`."""

MEDIA_HOST = "rr1---sn-demo.googlevideo.com"
MANIFEST_HOST = "manifest.googlevideo.com"


@dataclass(frozen=True)
class _Turn:
    """One request with its kind, its video and its fault."""

    script: Script
    asked: Asked
    kind: Kind
    youtube_id: str
    params: Mapping[str, str]
    video: Video
    hit: Hit | None


class Stage:
    """Answers requests to YouTube's hosts as the script demands. Called by many threads."""

    def __init__(
        self,
        store: FilmStore,
        log: Log,
        clock: Callable[[], float],
        tls: ssl.SSLContext,
        control: Callable[[Asked], Answer],
        files: Mapping[str, bytes],
    ) -> None:
        self.tls = tls
        self.script = Script(Scenario())
        self.strangers: list[str] = []
        self.origin = ""
        """Scheme, host and port of the plain media URLs."""
        self._store, self._log, self._clock, self._control = store, log, clock, control
        self._files = files

    def streams(self, video: Video | None) -> dict[int, FilmStream]:
        """The files of a video by itag, HLS included."""
        if video is None:
            return {}
        found = (self._store.streams(video.film, form) for form in video.forms)
        return {stream.itag: stream for streams in found for stream in streams}

    def knows(self, host: str) -> bool:
        known = any(host == name or host.endswith(f".{name}") for name in (*HOSTS, FILES_HOST))
        if not known:
            self.strangers.append(host)
        return known

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/demo/"):
            return self._control(asked)
        if asked.host == FILES_HOST:
            return _file(self._files.get(asked.path))
        script = self.script  # one scenario for the whole request, also while it is replaced
        kind, youtube_id, params = _identify(asked)
        itag = _whole(params["itag"]) if "itag" in params else None
        client = (
            _client(asked, "clientName")
            if kind == "player"
            else asked.headers.get("User-Agent", "")
        )
        entry = Entry(self._clock(), kind, youtube_id, itag, client, asked.headers.get("Range"))
        entry.language = _client(asked, "hl")
        self._log.append(entry)
        video = (script.scenario.video(youtube_id) if youtube_id else None) or Video()
        refused = script.refusal(kind, self._clock())
        hit = None
        if youtube_id and kind != "other" and not refused:
            hit = script.fault(kind, youtube_id, itag)
        turn = _Turn(script, asked, kind, youtube_id or "", params, video, hit)
        if refused:
            entry.refused = True
            answer = self._refuse(refused, turn)
        else:
            answer = self._obey(hit) or self._play(turn)
        answer.latency = script.scenario.latency + video.latency
        rates = [script.scenario.rate, video.rate if kind == "media" else None]
        answer.rate = min((rate for rate in rates if rate), default=None)
        silent = answer.break_how is not None and answer.break_after is None
        entry.status = 0 if silent else answer.status
        answer.sent = entry.add
        if hit and answer.break_how is None:
            script.settle(hit)
        elif hit:
            answer.done = functools.partial(_settle, script, hit)
        return answer

    def _obey(self, hit: Hit | None) -> Answer | None:
        """The answer for a fault that replaces the whole real answer; else None."""
        if hit is None or hit.fault.what != "status":
            return None
        hit.fired = True
        wait = {} if hit.fault.retry_after is None else {"Retry-After": str(hit.fault.retry_after)}
        return Answer(hit.fault.status, wait, b"scripted failure\n")

    def _refuse(self, refused: Refused, turn: _Turn) -> Answer:
        wait = {"Retry-After": refused.retry_after} if refused.retry_after else {}
        if refused.kind == "429":
            return Answer(429, wait, b"Too Many Requests\n")
        if refused.kind == "media_403" or turn.kind not in ("watch", "player"):
            return Answer(403, wait, b"Forbidden\n")
        why = named(refused.kind)
        if turn.kind == "watch":
            return _html(pages.watch_page(turn.youtube_id, turn.video, why))
        return as_json(pages.player_response(turn.youtube_id, turn.video, why, ()))

    def _play(self, turn: _Turn) -> Answer:
        if turn.kind == "other" or not turn.youtube_id:
            return self._other(turn)
        if turn.kind == "media":
            return self._media(turn)
        failure = turn.script.failure(turn.youtube_id, new=turn.kind == "watch")
        why = named(failure) if failure else None
        if turn.kind == "watch":
            answer = _html(pages.watch_page(turn.youtube_id, turn.video, why))
        else:
            answer = as_json(self._player(turn, why))
        return _broken(answer, turn.hit)

    def _player(self, turn: _Turn, why: ScriptedFailure | None) -> dict[str, Any]:
        youtube_id, video = turn.youtube_id, turn.video
        if why:
            return pages.player_response(youtube_id, video, why, ())
        base = self._base(turn, MEDIA_HOST)
        formats: dict[int, dict[str, Any]] = {}
        for form in video.forms:
            for stream in self._store.streams(video.film, form) if form != "hls" else ():
                url = base + pages.media_path(youtube_id, stream.itag, clen=stream.size)
                entry = pages.format_entry(stream, video.film, url)
                if video.original and stream.has_audio:
                    entry["audioTrack"] = pages.audio_track(original=form == video.original)
                formats[stream.itag] = entry
        hls = self._base(turn, MANIFEST_HOST) + pages.hls_path(youtube_id)
        return pages.player_response(
            youtube_id, video, None, formats.values(), hls if "hls" in video.forms else None
        )

    def _base(self, turn: _Turn, host: str) -> str:
        return f"https://{host}" if turn.script.scenario.media == "tls" else self.origin

    def _media(self, turn: _Turn) -> Answer:
        params, hit = turn.params, turn.hit
        stream = self.streams(turn.script.scenario.video(turn.youtube_id)).get(
            _whole(params.get("itag", ""))
        )
        if stream is None:
            return Answer(404, body=b"no such format\n")
        offset, size = 0, stream.size
        if "sq" in params:
            pieces = _layout(stream.path).pieces
            if not 0 <= (number := _whole(params["sq"])) < len(pieces):
                return Answer(404, body=b"no such segment\n")
            offset, size = pieces[number].offset, pieces[number].size
        if hit and hit.fault.what == "wrong_length":
            hit.fired, size = True, _break_point(hit.fault, size)
        headers = {"Content-Type": stream.mime.partition(";")[0], "Accept-Ranges": "bytes"}
        wanted = _range(turn.asked.headers.get("Range"), size)
        if wanted is None:
            return _broken(Answer(200, headers, FilePart(stream.path, offset, size)), hit)
        first, last = wanted
        if first > last:
            return Answer(416, {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        part = FilePart(stream.path, offset + first, last - first + 1)
        return _broken(Answer(206, headers, part), hit)

    def _other(self, turn: _Turn) -> Answer:
        path = turn.asked.path
        if path.startswith("/embed/"):
            return _html(pages.embed_page())
        if path == "/youtubei/v1/next":
            return as_json({"contents": {"twoColumnWatchNextResults": {}}})
        if path == "/iframe_api":
            return Answer(200, {"Content-Type": "text/javascript"}, pages.IFRAME_JS.encode())
        if path.startswith("/s/player/"):
            return Answer(200, {"Content-Type": "text/javascript"}, pages.PLAYER_JS.encode())
        if path.startswith("/api/manifest/") and "hls" in turn.video.forms:
            return self._playlist(turn)
        return Answer(404, body=b"not found\n")

    def _playlist(self, turn: _Turn) -> Answer:
        video, youtube_id = turn.video, turn.youtube_id
        streams = self._store.streams(video.film, "hls")
        itag = _pairs(turn.asked.path).get("itag")
        if itag is None:
            base = self._base(turn, MANIFEST_HOST)
            urls = [base + pages.hls_media_path(youtube_id, stream.itag) for stream in streams]
            text = pages.hls_master(streams, video.film, urls)
        else:
            stream = next((s for s in streams if str(s.itag) == itag), streams[0])
            base = self._base(turn, MEDIA_HOST)
            numbers = range(len(_layout(stream.path).pieces))
            urls = [base + pages.segment_path(youtube_id, stream.itag, n) for n in numbers]
            live = video.live and pages.hls_live(video.film, urls, self._clock())
            text = live or pages.hls_media(video.film, urls)
        return Answer(200, {"Content-Type": "application/vnd.apple.mpegurl"}, text.encode())


_layout = functools.cache(least.layout)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else -1


def _identify(asked: Asked) -> tuple[Kind, str | None, dict[str, str]]:
    """The kind, the youtube id and the parameters of a request."""
    path = asked.path
    if path == "/watch":
        return "watch", asked.query.get("v"), {}
    if path == "/youtubei/v1/player":
        return "player", _payload(asked).get("videoId"), {}
    if path.startswith("/videoplayback"):
        params = {**_pairs(path), **asked.query}
        return "media", params.get("id"), params
    if path.startswith("/embed/"):
        return "other", path.removeprefix("/embed/"), {}
    return "other", _pairs(path).get("id") or _payload(asked).get("videoId"), {}


def _pairs(path: str) -> dict[str, str]:
    """Parse `…/id/X/itag/93/…` to a dictionary, from `expire` or `id` on."""
    found = re.search(r"/(?:expire|id)/.*", path)
    parts = found[0].strip("/").split("/") if found else []
    return dict(zip(parts[::2], parts[1::2], strict=False))


def _payload(asked: Asked) -> dict[str, Any]:
    try:
        payload = json.loads(asked.body or b"{}")
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


def _client(asked: Asked, field: str) -> str:
    """What a player request says of its client in this field."""
    client = _payload(asked).get("context", {}).get("client", {})
    return str(client.get(field, ""))


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte of a single range. None: the whole body. First > last: unsatisfiable."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if not match or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size - 1 if int(last) else -1
    return int(first), min(int(last), size - 1) if last else size - 1


def _broken(answer: Answer, hit: Hit | None) -> Answer:
    if hit is None or hit.fault.what in ("status", "wrong_length"):
        return answer
    point = _break_point(hit.fault, answer.size, default=hit.fault.what == "truncate")
    if point is None or point < answer.size:
        answer.break_how = hit.fault.what  # type: ignore[assignment]
        answer.break_after = point
    return answer


def _settle(script: Script, hit: Hit, broken: bool) -> None:
    hit.fired = broken
    script.settle(hit)


def _break_point(fault: Fault, size: int, *, default: bool = True) -> Any:
    if fault.after_bytes is not None:
        return min(fault.after_bytes, size)
    if fault.after_fraction is not None:
        return int(size * fault.after_fraction)
    return size // 2 if default else None


def _file(data: bytes | None) -> Answer:
    if data is None:
        return Answer(404, body=b"not found\n")
    return Answer(200, {"Content-Type": "text/csv"}, data)


def _html(text: str) -> Answer:
    return Answer(200, {"Content-Type": "text/html; charset=utf-8"}, text.encode())


def as_json(value: Any) -> Answer:
    return Answer(
        200, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(value).encode()
    )
