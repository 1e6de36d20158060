"""What the whole pack shares: the bridge, the settings, the sampling in progress, and the user's words about previews."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from typing import Any, NamedTuple

import folder_paths
from comfy.cli_args import args
from comfy_execution.utils import get_executing_context
from server import PromptServer

from ...client import Bridge
from ...live import Board
from ...preview import Preview
from ...say_once import SayOnce
from ..host_trouble import host_trouble
from ..last_resort import LastResort
from ..recorder import Recorder
from ..settings import DecoderList
from .delivery import Outbox, has_metadata
from .settings import SETTINGS_NODE, Settings
from .teacher import Teacher

PREVIEW_METHODS = ("default", "auto", "latent2rgb", "taesd")


class Wish(NamedTuple):
    """What the user wants of this prompt: a preview method (``auto``, ``latent2rgb``, ``taesd``), and the workflow's own settings. Pictures of a quiet one
    go to the live view alone: whoever queued it asked for none."""

    method: str
    settings: dict[str, Any]
    is_quiet: bool = False


class Pack:
    """One for each ComfyUI process. ``settings`` is replaced as a whole, so that whoever holds one sees no half of a change."""

    def __init__(self, **bridge: Any) -> None:
        self.say = SayOnce()
        self.settings = Settings.load()
        self.folders = _model_folders()
        self.decoders = DecoderList(self.folders)
        self._bridge_arguments = bridge
        self.live = Board(lambda: self.bridge)
        self.bridge = self._new_bridge(self.settings)
        self.last_resort = LastResort(self._on_preview, self.say)
        self.outbox = Outbox(PromptServer.instance)
        self.teacher = Teacher(self)
        self.recorder = Recorder(os.path.join(folder_paths.get_output_directory(), "latentbridge"), self.say)
        self.sampling: Any = None
        self.runs = itertools.count(1)
        self.latest: Preview | None = None

    def wish(self, shows_nothing: bool) -> Wish | None:
        """What the user asked for, None for no preview of ours.

        ``shows_nothing`` says whether ComfyUI itself would show nothing. That is its default, and who installed LatentBridge
        wants previews: only a "none" that somebody wrote, on the command line, into the prompt or into the node, means none. A client that
        knows no previews by their metadata gets none that it did not ask for: it would take them for results.
        """
        item = _running_prompt()
        settings = _settings_of_workflow(item[2])
        if not self.settings.changed(settings).enabled:
            return None
        method, is_quiet = getattr(args.preview_method, "value", "auto"), False
        if shows_nothing:
            if item[3].get("preview_method") == "none" or _none_on_command_line() or _none_by_node(item[2]):
                return None
            is_quiet = not has_metadata(PromptServer.instance, PromptServer.instance.client_id)
            if is_quiet and not self.live.is_watched():
                return None
            method = "auto"
        return Wish(method, settings, is_quiet)

    def change(self, values: dict[str, Any]) -> None:
        """Takes new settings, effective at the next step; where no host works, it is tried again with all that was wrong forgotten."""
        settings = self.settings.changed(values)
        if settings == self.settings and self.bridge.off_reason is None:
            return  # the page reports all of them whenever it loads
        if settings.host_mode != self.settings.host_mode:
            before, self.bridge = self.bridge, self._new_bridge(settings)
            threading.Thread(target=before.close, name="latentbridge-close", daemon=True).start()
        elif settings.enabled and self.bridge.off_reason is not None:
            self.bridge.restart()
        self.settings = settings

    def warm_up(self, prompt: dict[str, Any]) -> None:
        """Starts the host before the first latent comes, also one that failed before."""
        asked = (prompt.get("extra_data") or {}).get("preview_method")
        if self.settings.enabled and asked != "none" and self.bridge.host_pid == 0:
            self.bridge.start()

    def maker(self, latent_format: str | None) -> Bridge | LastResort:
        """Who makes the previews of a format now: the bridge, unless it is off and the last resort can."""
        return self.last_resort if self.bridge.off_reason is not None and self.last_resort.shows(latent_format) else self.bridge

    def trouble(self) -> str | None:
        """Why there are no previews of ours, and what helps; None when all is well."""
        if self.bridge.off_reason is not None:
            return self.bridge.off_reason
        return host_trouble(self.settings.host_mode)

    def state(self) -> str:
        """One line for the settings page: the host, what made the last picture, or why there is none. May take a second."""
        if not self.settings.enabled:
            return "Off: ComfyUI shows its own previews."
        if (trouble := self.trouble()) is not None:
            stand_in = "Python makes simple previews" if self.last_resort.is_there else "ComfyUI shows its own previews"
            return f"{stand_in}, because {trouble}."
        status = self.bridge.status(1.0)
        host = status.get("host") if self.bridge.host_pid else None
        if host is None:
            return f"Ready. The host starts with the next prompt.{self.decoders.learned_in_words()}"
        latest = self.latest
        shown = f" The last preview: {latest.decoder}, {latest.width} x {latest.height}, {latest.milliseconds:.0f} ms." if latest else ""
        return f"Working, host {host.get('host')}.{shown}{self.decoders.learned_in_words()}"

    def close(self) -> None:
        self.teacher.uninstall()
        self.bridge.close()
        self.last_resort.close()

    def _new_bridge(self, settings: Settings) -> Bridge:
        return Bridge(on_preview=self._on_preview, on_clip=self._on_clip, on_latent=self.live.sent, models=self.folders, **{"host": settings.host_mode, **self._bridge_arguments})

    def _on_preview(self, preview: Preview) -> None:
        self.latest = preview
        if preview.stream == 0:  # or the live view would go to and fro between the pictures of a batch
            self.live.arrived(preview)
        for warning in preview.warnings:
            self.say(warning)
        if (sampling := self.sampling) is not None and sampling.run == preview.run:
            sampling.arrived(preview)

    def _on_clip(self, preview: Preview) -> None:
        if (sampling := self.sampling) is not None and sampling.run == preview.run:
            sampling.clip_arrived(preview)


def _running_prompt() -> tuple[Any, ...]:
    """The queue's item that runs on this thread: number, id, graph, extra data."""
    context = get_executing_context()
    for item in tuple(PromptServer.instance.prompt_queue.currently_running.values()):
        if len(item) > 3 and isinstance(item[3], dict) and (context is None or item[1] == context.prompt_id):
            return item
    return (0, None, {}, {})


def _settings_of_workflow(graph: Any) -> dict[str, Any]:
    """The values of a LatentBridge Preview Settings node in the workflow."""
    nodes = graph.values() if isinstance(graph, dict) else ()
    found: dict[str, Any] = {}
    for node in nodes:
        if isinstance(node, dict) and node.get("class_type") == SETTINGS_NODE:
            found.update(node.get("inputs") or {})
    return found


def _none_by_node(graph: Any) -> bool:
    """Whether the node that runs has a preview method of its own, as samplers of other packs do, and it says none."""
    context = get_executing_context()
    node = graph.get(context.node_id) if context is not None and isinstance(graph, dict) else None
    method = ((node or {}).get("inputs") or {}).get("preview_method")
    return isinstance(method, str) and method not in PREVIEW_METHODS


def _none_on_command_line() -> bool:
    """Whether somebody wrote ``--preview-method none`` (argparse takes unambiguous beginnings of the name too)."""
    words = sys.argv[1:]
    for word, after in zip(words, [*words[1:], ""], strict=False):
        name, _, value = word.partition("=")
        if len(name) > len("--preview-") and "--preview-method".startswith(name):
            return (value or after) == "none"
    return False


def _model_folders() -> list[str]:
    """Where ComfyUI keeps TAESD files."""
    try:
        return [str(folder) for folder in folder_paths.get_folder_paths("vae_approx")]
    except (AttributeError, KeyError):
        return []
