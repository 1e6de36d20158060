"""From a finished picture to the page: at most one message of ours in ComfyUI's queue, the newest picture next.

Design notes. ComfyUI encodes and sends on its event loop, one message after another and for all clients. A picture of ours is
encoded already, so all that is left there is one copy (``Frame.save``). Whether the node still runs is checked on the loop in the
same callback that queues the message: what the node's end sends is queued later, so a picture can never cover a result.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from comfy_api import feature_flags
from comfy_execution.progress import NodeState, get_progress_state
from comfy_execution.utils import get_executing_context
from protocol import BinaryEventTypes
from server import PromptServer

from ...preview import Preview
from ..ready_image import ReadyImage
from .teacher import model_of

LOST_AFTER_SECONDS = 5.0
CAPTION_EVERY_SECONDS = 0.25  # a message of its own, which costs core as much as a small picture
_LOOPBACK = ("127.", "::1", "::ffff:127.")


class Frame(ReadyImage):
    """An encoded picture in an image's clothes: enough for core, which only calls ``save``; packs that look closer see the decoded one.

    Core knows JPEG and PNG, browsers look at the bytes: so WebP passes for JPEG.
    """

    def __init__(self, data: bytes, format: str, size: tuple[int, int], step: int, caption: dict[str, Any] | None = None) -> None:
        super().__init__(data, format, size, passes_for="PNG" if format == "PNG" else "JPEG")
        self.step, self.caption = step, caption
        self.on_save: Any = None

    @classmethod
    def of(cls, preview: Preview, with_caption: bool) -> Frame:
        """The file that the host made."""
        caption = {"decoder": preview.decoder, "milliseconds": round(preview.milliseconds), "step": preview.step + 1,
                   "total": preview.total, "note": preview.note or None,
                   "alarm": preview.alarm or None, "warning": preview.warnings[0] if preview.alarm and preview.warnings else None} if with_caption else None
        return cls(preview.data, preview.encoding.upper(), (preview.width, preview.height), preview.step, caption)

    def for_core(self) -> tuple[str, Frame, None]:
        """The tuple that core sends."""
        return (self.passes_for, self, None)

    def save(self, file: Any, format: str | None = None, **options: Any) -> None:
        super().save(file, format, **options)
        saved, self.on_save = self.on_save, None  # once, however many clients get it
        if saved is not None:
            saved()


def has_metadata(server: Any, client: str | None) -> bool:
    """Whether a client said that it takes a preview with what it belongs to; the others know a picture only."""
    return bool(feature_flags.supports_feature(server.sockets_metadata, client, "supports_preview_metadata"))


class Destination(NamedTuple):
    """Where the pictures of one node's run go. Read on the sampler's thread: others have no context, and flags go with the socket."""

    server: Any
    client: str | None
    with_metadata: bool
    prompt_id: str | None
    node_id: str
    metadata: dict[str, Any]

    @classmethod
    def here(cls) -> Destination:
        """The node that runs on this thread."""
        server = PromptServer.instance
        context = get_executing_context()
        prompt_id, node_id = (context.prompt_id, context.node_id) if context else (server.last_prompt_id, server.last_node_id)
        graph = get_progress_state().dynprompt
        metadata = {
            "node_id": node_id, "prompt_id": prompt_id, "display_node_id": graph.get_display_node_id(node_id),
            "parent_node_id": graph.get_parent_node_id(node_id), "real_node_id": graph.get_real_node_id(node_id),
        }
        return cls(server, server.client_id, has_metadata(server, server.client_id), prompt_id, node_id, metadata)

    def nobody(self) -> Destination:
        """The same for pictures that no client gets."""
        return self._replace(client="", with_metadata=False)

    def model(self) -> str | None:
        """What the model is called that the node samples with; None where its graph does not say."""
        try:
            return model_of(get_progress_state().dynprompt, self.node_id)
        except Exception:  # a graph unlike core's: its colours are not learned
            return None

    def clients(self) -> list[str]:
        """Who gets the pictures. Those of a prompt without a client go to every client without metadata, as core's do; a page draws
        none of them, because nothing says which node they belong to."""
        if self.client is not None:
            return [self.client] if self.client in self.server.sockets else []
        return [client for client in tuple(self.server.sockets) if not has_metadata(self.server, client)]

    def is_local(self) -> bool:
        """Whether the client is on this machine."""
        socket = self.server.sockets.get(self.client)
        peer = socket.get_extra_info("peername") if socket is not None else None
        return bool(peer) and str(peer[0]).startswith(_LOOPBACK)

    def is_running(self) -> bool:
        state = get_progress_state()
        node = state.nodes.get(self.node_id)
        return state.prompt_id == self.prompt_id and node is not None and node["state"] is NodeState.Running

    def messages(self, frame: Frame) -> list[tuple[Any, Any, str]]:
        """What goes into the server's queue."""
        if self.with_metadata:
            return [(BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA, (frame.for_core(), dict(self.metadata)), client) for client in self.clients()]
        return [(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, frame.for_core(), client) for client in self.clients()]

    def caption(self, caption: dict[str, Any] | None) -> tuple[str, Any, str | None]:
        """What tells the page about the picture; None: that it is not ours any more."""
        return "latentbridge.preview", {"node": self.metadata["display_node_id"], "prompt": self.prompt_id, "caption": caption}, self.client


class Outbox:
    """Pictures on their way out. ``put`` from any thread; everything else runs on the server's loop."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._waiting: tuple[Frame, Destination] | None = None
        self._queued_at = 0.0  # 0: none of ours is in the server's queue
        self._captioned: tuple[Destination | None, str | None, float] = (None, None, 0.0)  # the last caption's, its alarm, and when
        self.sent = self.replaced = self.late = 0

    def put(self, frame: Frame, destination: Destination) -> None:
        """Shows a picture as soon as the last one is out, in place of one that still waits."""
        self._server.loop.call_soon_threadsafe(self._take, frame, destination)

    def _take(self, frame: Frame, destination: Destination) -> None:
        self.replaced += self._waiting is not None
        self._waiting = (frame, destination)
        if not self._queued_at or time.monotonic() - self._queued_at > LOST_AFTER_SECONDS:
            self._queue()

    def _queue(self) -> None:
        waiting, self._waiting = self._waiting, None
        self._queued_at = 0.0
        if waiting is None:
            return
        frame, destination = waiting
        if not destination.is_running():
            self.late += 1
            return
        frame.on_save = self._queue
        self._queued_at = now = time.monotonic()
        messages = destination.messages(frame)
        if not messages:
            self._queued_at = 0.0
            return
        for message in messages:
            self._server.messages.put_nowait(message)
        if destination.with_metadata and frame.caption is not None:
            *last, at = self._captioned
            said = [destination, frame.caption["alarm"]]
            if last != said or now - at >= CAPTION_EVERY_SECONDS:
                self._captioned = (*said, now)
                self._server.messages.put_nowait(destination.caption(frame.caption))
        self.sent += 1
