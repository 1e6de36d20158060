"""A server whose event loop runs in a thread of its own and whose sockets keep what they were sent."""

import asyncio
import contextlib
import io
import json
import threading

import comfy.utils
from comfy_api import feature_flags
from comfy_execution.progress import ProgressHandler, get_progress_state
from comfy_execution.utils import get_executing_context
from protocol import BinaryEventTypes


class web:
    @staticmethod
    def json_response(data, status=200):
        return {"status": status, "data": json.loads(json.dumps(data))}


class Routes:
    def __init__(self):
        self.handlers = {}

    def get(self, path, method="GET"):
        def add(handler):
            self.handlers[method, path] = handler
            return handler
        return add

    def post(self, path):
        return self.get(path, "POST")


class Socket:
    """One client's end. A message is (event, metadata, image type, bytes)."""

    def __init__(self, peer="127.0.0.1"):
        self.peer = peer
        self.messages = []

    def get_extra_info(self, name):
        return (self.peer, 1) if name == "peername" else None


class Queue:
    def __init__(self):
        self.currently_running = {}


class PromptServer:
    instance = None

    def __init__(self):
        PromptServer.instance = self
        self.sockets, self.sockets_metadata = {}, {}
        self.client_id = self.last_prompt_id = self.last_node_id = None
        self.prompt_queue = Queue()
        self.routes = Routes()
        self.on_prompt_handlers = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.started = threading.Event()
        self.thread.start()
        self.started.wait()
        comfy.utils.PROGRESS_BAR_HOOK = self.progress

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.messages = asyncio.Queue()
        self.publisher = self.loop.create_task(self.publish_loop())
        self.loop.call_soon(self.started.set)
        with contextlib.suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.publisher)
        self.loop.close()

    def stop(self):
        self.loop.call_soon_threadsafe(self.publisher.cancel)
        self.thread.join()

    def add_on_prompt_handler(self, handler):
        self.on_prompt_handlers.append(handler)

    def send_sync(self, event, data, sid=None):
        self.loop.call_soon_threadsafe(self.messages.put_nowait, (event, data, sid))

    async def publish_loop(self):
        while True:
            await self.send(*await self.messages.get())

    async def send(self, event, data, sid):
        metadata = None
        if event == BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA:
            data, metadata = data
        if isinstance(data, tuple):
            kind, image, maximum = data
            file = io.BytesIO()
            if maximum is not None:
                raise AssertionError("a picture would be resized and encoded again")
            image.save(file, format=kind, quality=95, compress_level=1)
            data = file.getvalue()
            metadata = metadata and {**metadata, "image_type": "image/png" if kind == "PNG" else "image/jpeg"}
        for socket in [self.sockets[sid]] if sid in self.sockets else [] if sid is not None else list(self.sockets.values()):
            socket.messages.append((event, metadata, data))

    def progress(self, value, total, preview):
        context = get_executing_context()
        get_progress_state().update_progress(context.node_id, value, total, preview)
        self.send_sync("progress", {"value": value, "node": context.node_id}, self.client_id)
        if preview is not None and not feature_flags.supports_feature(self.sockets_metadata, self.client_id, "supports_preview_metadata"):
            self.send_sync(BinaryEventTypes.UNENCODED_PREVIEW_IMAGE, preview, self.client_id)


class WebUIProgressHandler(ProgressHandler):
    def __init__(self, server):
        super().__init__("webui")
        self.server = server

    def update_handler(self, node_id, value, max_value, state, prompt_id, image=None):
        server = self.server
        if image and feature_flags.supports_feature(server.sockets_metadata, server.client_id, "supports_preview_metadata"):
            server.send_sync(BinaryEventTypes.PREVIEW_IMAGE_WITH_METADATA, (image, {"node_id": node_id, "prompt_id": prompt_id}),
                             server.client_id)
