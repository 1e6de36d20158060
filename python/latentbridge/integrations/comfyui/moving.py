"""The pictures of a moving picture on their way to the page: to VideoHelperSuite's widget, or to ours.

Design notes. VideoHelperSuite's page keeps the pictures of a clip by their index and plays them on a canvas of its own. It takes what its own
previewer sends: one JSON event that opens the clip, and a binary message per picture. Any other page gets a JSON event per picture, and
``web/latentbridge.js`` plays them where the page shows a preview. A client without that script shows the still, which is sent besides.
"""

from __future__ import annotations

import base64
import struct
from typing import Any

from protocol import BinaryEventTypes

from ...preview import Preview
from .delivery import Destination

_JPEG = 1


class MovingPicture:
    """One run's. ``put`` is called on the bridge's thread, everything else runs on the server's loop."""

    def __init__(self, run: int, destination: Destination, video_helper_rate: float) -> None:
        self.run = run
        self._destination = destination
        self._video_helper_rate = video_helper_rate
        self._is_open = False

    def put(self, preview: Preview) -> None:
        """Shows a picture at its place."""
        self._destination.server.loop.call_soon_threadsafe(self._queue, preview)

    def _queue(self, preview: Preview) -> None:
        if not self._destination.is_running() or not self._destination.clients():
            return
        for message in self._for_video_helper(preview) if self._video_helper_rate else self._for_ours(preview):
            self._destination.server.messages.put_nowait(message)

    def _for_video_helper(self, preview: Preview) -> list[tuple[Any, Any, str | None]]:
        to, node = self._destination, str(self._destination.node_id)
        head = struct.pack(">III16p", _JPEG, _JPEG, preview.clip.picture, node.encode("ascii"))
        messages = [(BinaryEventTypes.PREVIEW_IMAGE, head + preview.data, to.client)]
        if not self._is_open:
            self._is_open = True
            messages.insert(0, ("VHS_latentpreview", {"length": preview.clip.pictures, "rate": preview.clip.rate or self._video_helper_rate, "id": node}, to.client))
        return messages

    def _for_ours(self, preview: Preview) -> list[tuple[Any, Any, str | None]]:
        to, place = self._destination, preview.clip
        return [("latentbridge.clip", {
            "node": to.metadata["display_node_id"], "prompt": to.prompt_id, "picture": place.picture, "pictures": place.pictures, "sharp": place.sharp,
            "rate": place.rate, "type": preview.media_type, "data": base64.b64encode(preview.data).decode("ascii"),
        }, to.client)]
