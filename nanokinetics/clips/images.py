"""Images: Pillow checks them when a dataset is built and when it is verified."""

from __future__ import annotations

import io

from nanokinetics.clip import Media
from nanokinetics.errors import Failure, Reason


def look_at_image(data: bytes) -> Media | Failure:
    """Decode an image completely; returns its size in pixels, or why it is not a valid image."""
    if not data:
        return Failure(Reason.UNDECODABLE, "the file is empty")
    from PIL import Image, UnidentifiedImageError  # of the extra `images`

    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            width, height = image.size
    except UnidentifiedImageError:
        return Failure(Reason.UNDECODABLE, "it is no picture")
    except Exception as error:  # noqa: BLE001 - untrusted bytes: Pillow's decoders raise anything
        return Failure(Reason.UNDECODABLE, f"not a whole picture: {error}")
    return Media(width, height, frames=1, duration=0.0, longest_frame=0.0, has_audio=False)
