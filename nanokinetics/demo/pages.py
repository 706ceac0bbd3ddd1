"""The documents of the site: the watch page, the player's JSON and HLS playlists.

Written for yt_dlp/extractor/youtube/_video.py. Formats have a plain `url` without `n` and without
signature, and the page has `STS`. So yt-dlp runs no JavaScript.
"""

from __future__ import annotations

import json
import math
import urllib.parse
from typing import TYPE_CHECKING, Any

from nanokinetics.demo.failures import FAILURES, ScriptedFailure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nanokinetics.demo.films import FilmStream
    from nanokinetics.demo.scenario import Film, Video

PLAYER_ID = "0123abcd"
PLAYER_PATH = f"/s/player/{PLAYER_ID}/player_ias.vflset/en_US/base.js"
SIGNATURE_TIMESTAMP = 20_000
PLAYER_JS = f"var config = {{signatureTimestamp: {SIGNATURE_TIMESTAMP}}};\n"
IFRAME_JS = f"var scriptUrl = 'https:\\/\\/www.youtube.com\\/s\\/player\\/{PLAYER_ID}\\/api.js';\n"
EXPIRES = 4_102_444_800
"""The `expire` of media URLs, in seconds since the epoch: the year 2100."""


def watch_page(youtube_id: str, video: Video, why: ScriptedFailure | None) -> str:
    """HTML with the player's answer, but without formats: YouTube's page has none with a URL."""
    shown = None if why and why.plays_in_browser else why
    data = {
        "ytInitialPlayerResponse": player_response(youtube_id, video, shown, ()),
        "ytInitialData": {"contents": {"twoColumnWatchNextResults": {"results": {}}}},
    }
    scripts = "".join(
        f"<script>var {key} = {_script(value)};</script>" for key, value in data.items()
    )
    head = f"<head><title>{youtube_id}</title>{_config()}</head>"
    return f"<!DOCTYPE html><html>{head}<body>{scripts}</body></html>"


def embed_page() -> str:
    """The HTML of an embedded player. yt-dlp asks for it at an age gate."""
    client = {"clientName": "WEB_EMBEDDED_PLAYER", "clientVersion": "2.20260708.00.00"}
    config = _config(INNERTUBE_CONTEXT={"client": client})
    return f"<!DOCTYPE html><html><head>{config}</head><body></body></html>"


def _config(**more: Any) -> str:
    config = {
        "STS": SIGNATURE_TIMESTAMP,
        "PLAYER_JS_URL": PLAYER_PATH,
        "VISITOR_DATA": "CgtkZW1vLXZpc2l0b3I",
        **more,
    }
    return f"<script>ytcfg.set({_script(config)});</script>"


def _script(value: Any) -> str:
    # A title must not close the script element.
    return json.dumps(value).replace("<", "\\u003c")


def player_response(
    youtube_id: str,
    video: Video,
    why: ScriptedFailure | None,
    formats: Iterable[dict[str, Any]],
    hls: str | None = None,
) -> dict[str, Any]:
    """The JSON of /youtubei/v1/player. hls: the URL of the master playlist, if any."""
    if why and (why.status != "OK" or why.reason):
        return {"playabilityStatus": _unplayable(why)}
    seconds = str(math.floor(video.film.duration))
    title = video.title or f"Film of {youtube_id}"
    channel = "UC" + "demo-channel".ljust(22, "0")
    answer: dict[str, Any] = {
        "playabilityStatus": {"status": "OK", "playableInEmbed": True},
        "videoDetails": {
            "videoId": youtube_id,
            "title": title,
            "lengthSeconds": seconds,
            "channelId": channel,
            "author": "Demo",
            "shortDescription": "",
            "viewCount": "1",
            **_live(video),
        },
        "microformat": {
            "playerMicroformatRenderer": {
                "title": {"simpleText": title},
                "lengthSeconds": seconds,
                "externalChannelId": channel,
                "publishDate": "2015-01-01T00:00:00-08:00",
                "uploadDate": "2015-01-01T00:00:00-08:00",
                "category": "Sports",
            }
        },
    }
    if why is FAILURES["no_formats"]:
        answer["storyboards"] = {"playerStoryboardSpecRenderer": {"spec": _storyboard(youtube_id)}}
    if why:
        return answer
    listed = list(formats)
    if listed or hls:
        joined = [f for f in listed if f.get("width") and f.get("audioSampleRate")]
        answer["streamingData"] = {
            "expiresInSeconds": "21540",
            "formats": joined,
            "adaptiveFormats": [f for f in listed if f not in joined],
        }
        if hls:
            answer["streamingData"]["hlsManifestUrl"] = hls
    return answer


def _live(video: Video) -> dict[str, bool]:
    if video.live in (None, "unsaid"):
        return {"isLiveContent": False}
    state = "isLive" if video.live == "now" else "isPostLiveDvr"
    return {"isLiveContent": True, state: True}


def _unplayable(why: ScriptedFailure) -> dict[str, Any]:
    status: dict[str, Any] = {"status": why.status}
    if why.messages:
        status["messages"] = list(why.messages)
    main, more = {"simpleText": why.reason}, {"runs": [{"text": why.subreason}]}
    if why.trailer:
        trailer = {"trailerVideoId": why.trailer}
        return status | {"errorScreen": {"playerLegacyDesktopYpcTrailerRenderer": trailer}}
    match why.screen:
        case "message":
            renderer = {"reason": main} | ({"subreason": more} if why.subreason else {})
            screen: dict[str, Any] = {"playerErrorMessageRenderer": renderer | _BUTTON}
        case "interstitial":
            model = {"title": {"content": why.reason}, "description": {"content": why.subreason}}
            view = {"content": {"interstitialViewModel": model | _BUTTON}}
            return status | {"errorScreen": {"playerInterstitialRenderer": view}}
        case "slate":
            slate = {"mainText": main, "subtitleText": more, **_BUTTON}
            place = {"offlineSlate": {"liveStreamOfflineSlateRenderer": slate}}
            return status | {"liveStreamability": {"liveStreamabilityRenderer": place}}
        case "captcha":
            screen = {"playerCaptchaViewModel": {"siteKey": "demo"}}
        case "none":
            screen = {}
    if why.reason:
        status["reason"] = why.reason
    return status | ({"errorScreen": screen} if screen else {})


_BUTTON: dict[str, Any] = {"proceedButton": {"buttonRenderer": {"text": {"simpleText": "Sign in"}}}}
"""Every error screen has one, whatever the error is."""


def _storyboard(youtube_id: str) -> str:
    return (
        f"https://i.ytimg.com/sb/{youtube_id}/storyboard3_L$L/$N.jpg|48#27#100#10#10#0#default#demo"
    )


def format_entry(stream: FilmStream, film: Film, url: str) -> dict[str, Any]:
    """One element of `formats` or `adaptiveFormats`."""
    entry: dict[str, Any] = {
        "itag": stream.itag,
        "url": url,
        "mimeType": stream.mime,
        "bitrate": round(stream.size * 8 / film.duration),
        "contentLength": str(stream.size),
        "approxDurationMs": str(round(film.duration * 1000)),
        "lastModified": "1420070400000000",
    }
    if stream.has_video:
        short = min(stream.width, stream.height)
        names = {
            144: "tiny",
            240: "small",
            360: "medium",
            480: "large",
            720: "hd720",
            1080: "hd1080",
        }
        entry |= {
            "width": stream.width,
            "height": stream.height,
            "fps": round(film.fps),
            "quality": names[min(names, key=lambda known: abs(known - short))],
            "qualityLabel": f"{short}p",
        }
    if stream.has_audio:
        entry |= {
            "audioQuality": "AUDIO_QUALITY_MEDIUM",
            "audioSampleRate": "48000" if "opus" in stream.mime else "44100",
            "audioChannels": 2,
        }
    return entry


def audio_track(*, original: bool) -> dict[str, Any]:
    """What an element of `formats` says of its sound, where a video has several."""
    if original:
        return {"displayName": "French original", "id": "fr.4", "audioIsDefault": False}
    return {"displayName": "English (United States)", "id": "en-US.10", "audioIsDefault": True}


def media_path(youtube_id: str, itag: int, **more: object) -> str:
    """The path and query of a media URL. It has no `n`, which yt-dlp would solve by JavaScript."""
    query = {"expire": EXPIRES, "id": youtube_id, "itag": itag, "source": "youtube", **more}
    return "/videoplayback?" + urllib.parse.urlencode(query)


def hls_path(youtube_id: str) -> str:
    return f"/api/manifest/hls_variant/expire/{EXPIRES}/id/{youtube_id}/file/index.m3u8"


def hls_media_path(youtube_id: str, itag: int) -> str:
    which = f"expire/{EXPIRES}/id/{youtube_id}/itag/{itag}"
    return f"/api/manifest/hls_playlist/{which}/playlist/index.m3u8"


def hls_master(streams: Iterable[FilmStream], film: Film, urls: Iterable[str]) -> str:
    lines = ["#EXTM3U", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for stream, url in zip(streams, urls, strict=True):
        codecs = stream.mime.split("codecs=")[1]
        rate = round(stream.size * 8 / film.duration)
        size = f"RESOLUTION={stream.width}x{stream.height},FRAME-RATE={round(film.fps)}"
        lines += [f"#EXT-X-STREAM-INF:BANDWIDTH={rate},CODECS={codecs},{size}", url]
    return "\n".join([*lines, ""])


def hls_live(film: Film, urls: list[str], now: float) -> str:
    """The last three segments of a live video at `now` (seconds): they repeat for ever."""
    first = int(now / film.gop_seconds)
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    lines.append(f"#EXT-X-TARGETDURATION:{math.ceil(film.gop_seconds)}")
    for number in range(first, first + 3):
        lines += [f"#EXTINF:{film.gop_seconds:.6f},", urls[number % len(urls)]]
    return "\n".join([*lines, ""])


def hls_media(film: Film, urls: list[str]) -> str:
    """A playlist of segments of `film.gop_seconds`."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-MEDIA-SEQUENCE:0"]
    lines.append(f"#EXT-X-TARGETDURATION:{math.ceil(film.gop_seconds)}")
    left = film.duration
    for url in urls:
        lines += [f"#EXTINF:{min(film.gop_seconds, left):.6f},", url]
        left -= film.gop_seconds
    return "\n".join([*lines, "#EXT-X-ENDLIST", ""])


def segment_path(youtube_id: str, itag: int, number: int) -> str:
    return f"/videoplayback/id/{youtube_id}/itag/{itag}/sq/{number}/file/seg.ts"
