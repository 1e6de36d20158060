"""Teaches the host a model's colours: notices when a VAE decodes the very latent that a sampling of ours ended with.

Design notes. What a prompt decodes may have been upscaled, blended or made by another sampler. So a pair counts only if the decoded latent,
brought to the sampler's scale by the model's own latent format, is the last denoised one that was previewed. On the prompt's
thread only references change hands; comparing and averaging happens on a thread of its own, which ends with the lesson.
"""

from __future__ import annotations

import functools
from collections import deque
from functools import partial
from typing import Any, NamedTuple

import folder_paths

from ...calibration import LEAST_CELLS, Lessons, identity, pair

FOLDERS = ("checkpoints", "diffusion_models", "unet_gguf")
FILES = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".gguf", ".bin")
LARGEST_DIFFERENCE = 0.05
"""The share of the latent's variance that it may differ by: rounding in half precision, not another latent."""


class _Ended(NamedTuple):
    """What a sampling ended with."""

    x0: Any
    latent_format: Any
    format_id: str | None
    model: str


class Teacher:
    """One for each ComfyUI process."""

    def __init__(self, pack: Any) -> None:
        self._pack = pack
        self._lessons = Lessons(pack.say)
        self._ended: deque[_Ended] = deque(maxlen=2)  # base and refiner
        self._wrapped: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        """Wraps ``VAE.decode`` and ``VAE.decode_tiled``."""
        try:
            from comfy.sd import VAE
        except ImportError as error:
            self._pack.say(f"models' colours are not learned in this ComfyUI ({error})")
            return
        for name in ("decode", "decode_tiled"):
            original = getattr(VAE, name)
            setattr(VAE, name, self._watching(original))
            self._wrapped.append((VAE, name, getattr(VAE, name)))

    def uninstall(self) -> None:
        """Takes the wrappers out where they are outermost; elsewhere they let everything through."""
        self._ended.clear()
        for owner, name, wrapper in self._wrapped:
            if getattr(owner, name) is wrapper:
                setattr(owner, name, wrapper.__wrapped__)

    def ended(self, x0: Any, latent_format: Any, format_id: str | None, model: str | None) -> None:
        """A sampling's last denoised latent. On the sampler's thread: keeps a reference until two more came."""
        if model is not None:
            self._ended.append(_Ended(x0, latent_format, format_id, model))

    def _watching(self, original: Any) -> Any:
        @functools.wraps(original)
        def decode(*arguments: Any, **named: Any) -> Any:
            picture = original(*arguments, **named)
            if self._ended:
                try:
                    self._decoded((*arguments[1:], *named.values())[0], picture)
                except Exception as error:
                    self._pack.say(f"a decoded picture was not looked at: {error!r}")
            return picture

        return decode

    def _decoded(self, latent: Any, picture: Any) -> None:
        ended = [ended for ended in self._ended if ended.x0.shape == latent.shape]
        if ended and latent[0, 0].numel() >= LEAST_CELLS:
            self._lessons.give(partial(self._teach, ended, latent, picture))

    def _teach(self, candidates: list[_Ended], latent: Any, picture: Any) -> None:
        """On the lesson's thread. Of a batch the first picture, of a video the first frame: the one latent frame that is a
        single picture in every VAE."""
        import torch

        with torch.inference_mode():
            ended = next((ended for ended in reversed(candidates) if _is_same(latent, ended)), None)
            if ended is None:
                return
            picture = picture[0] if picture.dim() == 4 else picture[0, 0]
            latent = ended.latent_format.process_in(latent[:1].to("cpu", torch.float32))
            latent = latent[0] if latent.dim() == 4 else latent[0, :, 0]
            lesson = pair(latent, picture[..., :3].movedim(-1, 0) * 2 - 1)
        self._ended = deque((other for other in self._ended if other is not ended), maxlen=2)
        self._pack.bridge.teach(lesson, model=ended.model, latent_format=ended.format_id)


def _is_same(latent: Any, ended: _Ended) -> bool:
    """Whether what is decoded is what that sampling ended with."""
    import torch

    latent = ended.latent_format.process_in(latent[:1].to("cpu", torch.float32))
    x0 = ended.x0[:1].to("cpu", torch.float32)
    return bool((latent - x0).square().mean() <= LARGEST_DIFFERENCE * x0.var())


def model_of(graph: Any, node_id: str) -> str | None:
    """The file that a sampler's model was loaded from, as its loader names it, with its length and time: of the last node upstream along inputs called
    model or guider."""
    seen: set[str] = set()
    waiting = deque([node_id])
    while waiting:
        current = waiting.popleft()
        if current in seen:
            continue
        seen.add(current)
        node = graph.get_node(current)
        inputs = node.get("inputs", {})
        links = [value[0] for name, value in inputs.items()
                 if isinstance(value, list) and len(value) == 2 and ("model" in name or "guider" in name)]
        if not links and current != node_id:
            words = [value for value in inputs.values() if isinstance(value, str)]
            files = [word for word in words if word.lower().endswith(FILES)]
            return " ".join(map(_identity, files) if files else [node.get("class_type", ""), *words])[:500]
        waiting.extend(links)
    return None


def _identity(file: str) -> str:
    paths = (folder_paths.get_full_path(folder, file) for folder in FOLDERS)
    return identity(file, next(filter(None, paths), None))
