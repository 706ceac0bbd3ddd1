"""yt-dlp as a fetcher: each worker process uses one `YoutubeDL` for all its videos.

To find a video takes about two small requests and downloads no media. `diagnosis` interprets
failures; this module only records the failed requests that yt-dlp hides.
"""

from __future__ import annotations

import copy
import io
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yt_dlp
from yt_dlp.networking import Request, Response
from yt_dlp.networking.exceptions import HTTPError, RequestError
from yt_dlp.utils import DownloadError, YoutubeDLError

from nanokinetics.common.kin import OutOfTimeError
from nanokinetics.config import NetworkConfig
from nanokinetics.errors import Failure, Reason
from nanokinetics.sources import diagnosis
from nanokinetics.sources.diagnosis import HttpProblem
from nanokinetics.sources.playability import read
from nanokinetics.sources.route import trusting
from nanokinetics.sources.stream import OpenedVideo, Stream
from nanokinetics.sources.ytdlp_formats import Choice, Format, is_plain, kinds_of
from nanokinetics.sources.ytdlp_options import (
    cookies_of,
    fixed_params,
    in_english,
    no_ffmpeg,
    parse_yt_dlp_args,
    transfer_of,
)
from nanokinetics.sources.ytdlp_ways import Ways

SOCKET_TIMEOUT: Final = 15.0
"""Seconds of silence after which a connection is given up, unless yt-dlp's options set others."""

_ANOTHER: Final = "YouTube offers another video, like a trailer, in place of the video"


_LIVE: Final = ("is_live", "is_upcoming", "post_live")
"""What yt-dlp says of a video that is not finished. YouTube still processes a `post_live` one."""

_LIVE_NOW: Final = Failure(
    Reason.NOT_YET_AVAILABLE, "the video is live, or its recording is not finished"
)


class PlayerRefused(Exception):
    """The player API answered 429. yt-dlp would try the next client; this error stops it."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site that yt-dlp supports.

    url: the address of a video, with `{}` for its name. extractors: patterns of the names of
    yt-dlp's extractors for the site. To try all extractors takes longer than to find a video.
    """

    name: str
    url: str
    extractors: tuple[str, ...]


class YtDlpFetcher:
    """Finds videos on a site, and downloads them if a window alone cannot be read."""

    def __init__(self, site: Site, network: NetworkConfig, *, resolution: int, audio: bool) -> None:
        self.name = site.name
        self._site = site
        self._lines = _Lines()
        self._params = {
            **trusting(parse_yt_dlp_args(network.yt_dlp_args), os.environ),
            **fixed_params(resolution, audio=audio),
            "allowed_extractors": list(site.extractors),
            "logger": self._lines,
        }
        self._params.setdefault("socket_timeout", SOCKET_TIMEOUT)
        self._params["extractor_args"] = in_english(self._params.get("extractor_args", {}))
        if network.proxy is not None:
            self._params["proxy"] = network.proxy
        if network.cookies is not None:
            self._params["cookiefile"] = cookies_of(network.cookies)
        self._ydl = _Observer(self._params)
        self._ways = Ways(self._params)
        self._found: dict[str, Any] = {}
        self._choice = Choice((), audio=audio)
        self._chosen: list[Format] = []
        self._first: list[Format] = []

    def open(self, name: str) -> OpenedVideo | Failure:
        """Find a video. A guest needs two requests, or four with a JavaScript runtime."""
        self._lines.clear()
        self._ydl.forget()
        found = self._ask(
            lambda: self._ydl.extract_info(
                self._site.url.format(name), download=False, process=False
            )
        )
        if isinstance(found, Failure):
            return found
        if found.get("_type", "video") != "video":
            return self._ydl.failure(_ANOTHER, expected=True)
        if found.get("is_live") or found.get("live_status") in _LIVE:
            return _LIVE_NOW
        kinds = [kinds_of(part) for part in found.get("formats") or ()]
        if any(k.has_audio for k in kinds) and not any(k.has_video for k in kinds):
            return Failure(Reason.NO_VIDEO_STREAM, "the video has sound but no picture")
        self._found = found
        self._choice = Choice(found.get("formats") or (), audio=self._choice.audio)
        opened = self._choose(found)
        if isinstance(opened, OpenedVideo):
            self._first = self._chosen
        return opened

    def _choose(self, found: dict[str, Any]) -> OpenedVideo | Failure:
        """Let yt-dlp choose among the formats of a video."""
        chosen = self._ask(
            lambda: self._ydl.process_ie_result(copy.deepcopy(found), download=False)
        )
        if isinstance(chosen, Failure):
            return chosen
        if not (chosen and (chosen.get("requested_formats") or chosen.get("url"))):
            return Failure(Reason.NO_FORMATS, "yt-dlp named no address; do its options forbid it?")
        return self._source(chosen)

    def _other(self, refused: int | None) -> OpenedVideo | None:
        """The next best formats. refused: the index of the stream that the server refused."""
        self._choice.refuse(self._chosen if refused is None else [self._chosen[refused]])
        for left in self._choice.left():
            opened = self._choose({**self._found, "formats": left})
            if isinstance(opened, OpenedVideo) and self._choice.accepts(self._chosen):
                return opened
        self._chosen = self._first
        return None

    def download(self, folder: Path) -> OpenedVideo | Failure:
        """Download the whole video that was opened last, with yt-dlp's downloader."""
        began = time.monotonic()
        literal = str(folder).replace("%", "%%")  # yt-dlp replaces fields that begin with %
        target = {
            "outtmpl": {"default": f"{literal}/%(format_id)s.%(ext)s"},
            "fixup": "never",
        }
        streams: list[Stream] = []
        ids: list[str] = []
        for part in self._chosen:  # each stream alone: to merge them would take another pass
            params = {**self._params, **target, "format": part["format_id"]}
            ydl = _Observer(params, like=self._ydl)
            got = self._ask(
                lambda ydl=ydl: ydl.process_ie_result(copy.deepcopy(self._found), download=True),
                ydl,
            )
            ydl.close()
            if isinstance(got, Failure):
                return got
            path = got["requested_downloads"][0]["filepath"]
            size, promised = Path(path).stat().st_size, part.get("filesize") or 0
            if size < promised:
                return Failure(Reason.TRUNCATED, f"{size} of {promised} bytes arrived")
            transfer = transfer_of(part.get("dynamic_range"))
            streams.append(Stream(path, *kinds_of(part), transfer=transfer))
            ids.append(part["format_id"])
        size = sum(Path(s.url).stat().st_size for s in streams)
        seconds = time.monotonic() - began
        return OpenedVideo(
            tuple(streams),
            self._found.get("duration"),
            "+".join(ids),
            seekable=all(map(is_plain, self._chosen)),
            downloaded_bytes=size,
            download_seconds=seconds,
        )

    def log(self) -> str:
        return f"yt-dlp {yt_dlp.version.__version__}\n{self._lines.text()}"

    def _source(self, info: dict[str, Any]) -> OpenedVideo | Failure:
        self._chosen = info.get("requested_formats") or [info]
        for part in self._chosen:
            moving = not is_plain(part) and self._ask(lambda part=part: self._is_moving(part))
            if isinstance(moving, Failure):
                return moving
            if moving:
                return _LIVE_NOW
        return OpenedVideo(
            self._ways.streams(self._ydl, self._chosen),
            info.get("duration"),
            "+".join(part["format_id"] for part in self._chosen),
            seekable=all(map(is_plain, self._chosen)),
            other=self._other,
        )

    def _is_moving(self, part: dict[str, Any]) -> bool:
        """Whether a format is a list of segments that still grows: then it never ends.

        RFC 8216, 4.3.3.4 and 4.3.3.5: a finished list has an end, or is of the type VOD.
        """
        if not part.get("protocol", "").startswith("m3u8"):
            return False
        headers = part.get("http_headers") or {}
        text = self._ydl.urlopen(Request(part["url"], headers=headers)).read().decode()
        finished = "#EXT-X-ENDLIST" in text or "#EXT-X-PLAYLIST-TYPE:VOD" in text
        return "#EXTINF" in text and not finished

    def _ask(self, question: Any, ydl: _Observer | None = None) -> Any:
        """Call yt-dlp; returns its answer, or the Failure that its exception means."""
        observer = ydl or self._ydl
        try:
            with no_ffmpeg():
                return question()
        except OutOfTimeError:  # it was interrupted anywhere, so another one goes on
            self._ydl = _Observer(self._params, like=self._ydl)
            raise
        except PlayerRefused as refused:
            return observer.failure(str(refused), expected=False)
        except DownloadError as error:
            cause = error.exc_info[1] if error.exc_info else None
            return observer.failure(str(error), expected=bool(getattr(cause, "expected", False)))
        except (YoutubeDLError, RequestError, OSError) as error:
            return observer.failure(str(error), expected=False)


class _Observer(yt_dlp.YoutubeDL):  # type: ignore[misc]
    """A YoutubeDL that records failed requests and YouTube's answers: its exceptions hide both.

    like: another one whose cookies it shares.
    """

    def __init__(self, params: dict[str, Any], *, like: _Observer | None = None) -> None:
        self.problems: list[HttpProblem] = []
        self._answers: list[bytes] = []
        super().__init__({**params, "cookiefile": None} if like else params)
        if like:
            self.cookiejar: Any = like.cookiejar

    def forget(self) -> None:
        """Forget what was recorded about the last video."""
        self.problems.clear()
        self._answers.clear()

    def failure(self, message: str, *, expected: bool) -> Failure:
        """What an exception with this text means, in view of all that was recorded."""
        said = [answer for answer in map(read, self._answers) if answer]
        for answer in said:
            self.params["logger"].debug(" | ".join(("YouTube:", answer.status, *answer.texts)))
        return diagnosis.of_yt_dlp(message, expected=expected, problems=self.problems, said=said)

    def urlopen(self, req: Request | str) -> Response:
        url = req if isinstance(req, str) else req.url
        try:
            response = super().urlopen(req)
            return self._heard(response) if _page(url) in ("watch", "player") else response
        except HTTPError as error:
            page = _page(url)
            wait = diagnosis.retry_after(error.response.headers.get("Retry-After"), time.time())
            self.problems.append(HttpProblem(page, error.status, wait, str(error)))
            if error.status == 429 and page == "player":
                raise PlayerRefused(str(error)) from None
            raise
        except RequestError as error:
            self.problems.append(HttpProblem(_page(url), None, None, str(error)))
            raise

    def _heard(self, response: Response) -> Response:
        """Keep the body of an answer, and give it back to be read again."""
        body = response.read()
        self._answers.append(body)
        return Response(
            io.BytesIO(body),
            response.url,
            response.headers,
            response.status,
            response.reason,
            response.extensions,
        )


class _Lines:
    """The logger of yt-dlp: it collects the output about the present video."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def clear(self) -> None:
        self._lines.clear()

    def text(self) -> str:
        return "\n".join(self._lines)

    def debug(self, line: str) -> None:
        self._lines.append(line)

    info = warning = error = debug


def _page(url: str) -> str:
    for part, name in (("/youtubei/", "player"), ("/watch", "watch"), ("/videoplayback", "media")):
        if part in url:
            return name
    return "other"
