"""What a pipeline's latents are: their format, by its VAE, and how they lie in the tensors that ``scheduler.step`` gets.

Most are ``[B,C,h,w]`` or ``[B,C,T,h,w]``. Transformers pack theirs into tokens, so the picture's size has to come from somewhere: the
pipeline's own frame has it, pixels with all defaults filled in.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..tensors import Choice
from .denoised import NoPreview

FRAMES_UP = 8
"""Callers of ``step`` that are looked at for the picture's size."""


class Size(NamedTuple):
    """The picture's size in pixels, and a video's frames; 0 where it is not known."""

    height: int = 0
    width: int = 0
    frames: int = 0


def size_of(depth: int) -> Size:
    """The size of the picture that a function further up makes: a pipeline's locals, or the state of a modular one."""
    frame = sys._getframe(depth)
    for _ in range(FRAMES_UP):
        found = frame.f_locals
        state = found.get("state")
        get = state.get if type(state).__name__ == "PipelineState" else found.get
        height, width, frames = get("height"), get("width"), get("num_frames")
        if isinstance(height, int) and isinstance(width, int):
            return Size(height, width, frames if isinstance(frames, int) else 0)
        if frame.f_back is None:
            break
        frame = frame.f_back
    return Size()


# --- formats ---------------------------------------------------------------------------------------------------------


_BY_VAE = {
    "AutoencoderKLFlux2": "Flux2", "AutoencoderKLQwenImage": "Wan21", "AutoencoderKLHunyuanVideo": "HunyuanVideo",
    "AutoencoderKLHunyuanVideo15": "HunyuanVideo15", "AutoencoderKLHunyuanImage": "HunyuanImage21", "AutoencoderKLLTXVideo": "LTXV",
    "AutoencoderKLLTX2Video": "LTXAV", "AutoencoderKLMochi": "Mochi", "AutoencoderKLCosmos": "Cosmos1CV8x8x8",
    "AutoencoderKLMiniMaxH3": "MiniMaxH3Video",
}
_BY_DENOISER = {"FluxTransformer2DModel": "Flux", "SD3Transformer2DModel": "SD3", "Flux2Transformer2DModel": "Flux2"}


def format_of(pipe: Any) -> str | None:
    """The latent format's id, None where nothing says it: then the host guesses by the channels."""
    vae = getattr(pipe, "vae", None)
    if vae is None:
        return "SC_Prior" if type(pipe).__name__.startswith("StableCascadePrior") else None
    vae = getattr(vae, "_orig_mod", vae)  # compiled
    name, config = type(vae).__name__, vae.config
    if name in ("AutoencoderKL", "AsymmetricAutoencoderKL"):
        return _of_still(pipe, config)
    if name == "AutoencoderKLWan":
        return {16: "Wan21", 48: "Wan22"}.get(config.z_dim)
    if name == "AutoencoderKLCogVideoX":
        return "CogVideoX1_5" if _near(config.scaling_factor, 0.7) else "CogVideoX"
    if name == "AutoencoderTiny":
        denoiser = getattr(pipe, "transformer", None) or getattr(pipe, "unet", None)
        return _BY_DENOISER.get(type(denoiser).__name__) or ("SDXL" if _is_xl(pipe) else "SD15")
    return _BY_VAE.get(name)


def _of_still(pipe: Any, config: Any) -> str | None:
    channels, scale = config.latent_channels, config.scaling_factor
    if channels == 4:
        if getattr(config, "latents_mean", None) is not None:
            return "SDXL_Playground_2_5"
        if _near(scale, 0.08333):
            return "SD_X4"
        return "SDXL" if _near(scale, 0.13025) or _is_xl(pipe) else "SD15"
    if channels == 16:
        return "SD3" if _near(scale, 1.5305) else "Flux" if _near(scale, 0.3611) else None
    return None


def _is_xl(pipe: Any) -> bool:
    return getattr(getattr(getattr(pipe, "unet", None), "config", None), "addition_embed_type", None) == "text_time"


def _near(value: float | None, expected: float) -> bool:
    return value is not None and abs(value - expected) < 1e-4


def factor_of(pipe: Any) -> float:
    """What x0 is to be divided by: some pipelines keep their latents larger than the VAE's."""
    if type(pipe).__name__.startswith(("Cosmos", "SanaSprint")):
        return float(getattr(pipe.scheduler.config, "sigma_data", None) or 1.0)
    return 1.0


# --- layouts ---------------------------------------------------------------------------------------------------------


class Layout(NamedTuple):
    """How a latent lies. ``view`` shows a step's tensor in ``order`` without copying; ``finish`` brings x0, of which one frame and
    the chosen items are left, into an order that the bridge reads."""

    view: Callable[[Any], Any]
    order: str
    finish: Callable[[Any], Any]

    def cut(self, choice: Choice) -> Callable[[Any], Any]:
        """The chosen frame and items of a tensor: a view. All that follows works on these alone."""
        order, view = self.order, self.view
        batch, frame = order.index("B"), order.find("T")

        def cut(tensor: Any) -> Any:
            shown = view(tensor.detach())
            if choice.batch != "grid" and shown.shape[batch] > 1:
                item = min(choice.item, shown.shape[batch] - 1) if choice.batch == "item" else 0
                shown = shown.narrow(batch, item, 1)
            if frame >= 0 and shown.shape[frame] > 1:
                shown = shown.narrow(frame, _frame(choice.frame, shown.shape[frame]), 1)
            return shown

        return cut


def _frame(chosen: str | int, count: int) -> int:
    if isinstance(chosen, int):
        return min(chosen, count - 1)
    return {"first": 0, "middle": count // 2, "last": count - 1}[chosen]


def _same(tensor: Any) -> Any:
    return tensor


_FRAMES_BEFORE_CHANNELS = ("CogVideoX", "ConsisID", "StableVideoDiffusion", "AnyFlow")


def layout_of(pipe: Any, shape: Sequence[int], size: Size) -> Layout:
    """The layout of a pipeline's latents; ``NoPreview`` for tokens that do not make a picture of this size."""
    name = type(pipe).__name__
    if len(shape) == 3:
        return _tokens(pipe, name, tuple(shape), size)
    if len(shape) == 4:
        return Layout(_same, "BCHW", _same)
    if len(shape) != 5:
        raise NoPreview(f"{name}'s latents have {len(shape)} axes; expected 3 to 5")
    if name.startswith("Kandinsky5"):
        return Layout(_same, "BTHWC", lambda x0: x0.movedim(-1, 1))
    if name.startswith(_FRAMES_BEFORE_CHANNELS):
        return Layout(_same, "BTCHW", lambda x0: x0.transpose(1, 2))
    return Layout(_same, "BCTHW", _same)


def _tokens(pipe: Any, name: str, shape: tuple[int, ...], size: Size) -> Layout:
    if not size.height:
        raise NoPreview(f"{name}'s latents are {shape[1]} tokens and nothing says the picture's height and width; call the pipeline with both")
    if name.startswith("LTX"):
        return _video_tokens(pipe, name, shape, size)
    vae = type(getattr(getattr(pipe, "vae", None), "_orig_mod", getattr(pipe, "vae", None))).__name__
    scale = int(getattr(pipe, "vae_scale_factor", 8))
    if vae == "AutoencoderKLFlux2":
        grid = _grid(name, shape, size, 2 * scale)
        return _rows(grid, _reorder if name.startswith("Ideogram4") else _same)
    if vae == "AutoencoderKLWan" and shape[2] == pipe.vae.config.z_dim:  # Bria FIBO without patches
        return _rows(_grid(name, shape, size, scale), _same)
    patch = getattr(pipe, "patch_size", None)
    patch = patch if isinstance(patch, int) else 2
    rows, columns = grid = _grid(name, shape, size, scale * patch)
    if name.startswith("QwenImageLayered") and (layers := shape[1] // (rows * columns)) > 1:
        unpack = functools.partial(_unpack, patch=patch)
        return Layout(lambda tensor: tensor[:, :layers * rows * columns].unflatten(1, (layers, rows, columns)), "BTHWC", lambda x0: unpack(x0[:, 0]))
    # The bridge knows tokens of 2 x 2 cells by their channels at the end, unless another axis is as long as the channels.
    readable = patch == 2 and rows != shape[2] // 4
    return _rows(grid, _same if readable else functools.partial(_unpack, patch=patch))


def _grid(name: str, shape: tuple[int, ...], size: Size, pixels: int) -> tuple[int, int]:
    rows, columns = size.height // pixels, size.width // pixels
    if rows * columns > shape[1] or rows * columns == 0:
        raise NoPreview(f"{name}'s latents are {shape[1]} tokens; a picture of {size.width} x {size.height} has {rows * columns}")
    return rows, columns


def _rows(grid: tuple[int, int], finish: Callable[[Any], Any]) -> Layout:
    """Tokens in the rows of a picture; what stands behind them belongs to a condition."""
    count = grid[0] * grid[1]

    def view(tensor: Any) -> Any:
        tokens = tensor if tensor.shape[1] == count else tensor[:, :count]
        return tokens.view(len(tokens), *grid, -1)

    return Layout(view, "BHWC", finish)


def _unpack(x0: Any, patch: int) -> Any:
    """[B,rows,columns,C p p] to [B,C,h,w], by a copy."""
    batch, rows, columns, values = x0.shape
    cells = x0.reshape(batch, rows, columns, values // patch ** 2, patch, patch).permute(0, 3, 1, 4, 2, 5)
    return cells.reshape(batch, values // patch ** 2, rows * patch, columns * patch)


def _reorder(x0: Any) -> Any:
    """Ideogram's channels, (2 dy + dx) 32 + c, to FLUX.2's, 4 c + 2 dy + dx."""
    return x0.unflatten(-1, (4, 32)).transpose(-1, -2).flatten(-2)


def _video_tokens(pipe: Any, name: str, shape: tuple[int, ...], size: Size) -> Layout:
    spatial, temporal = int(pipe.vae_spatial_compression_ratio), int(pipe.vae_temporal_compression_ratio)
    rows, columns = size.height // spatial, size.width // spatial
    plane = rows * columns
    frames = max(0, size.frames - 1) // temporal + 1
    if plane == 0 or shape[1] < plane:
        raise NoPreview(f"{name}'s latents are {shape[1]} tokens; a frame of {size.width} x {size.height} has {plane}")
    if shape[1] < frames * plane:  # from a picture: the first frame is left out
        frames = shape[1] // plane
    count = frames * plane
    first = shape[1] - count if name.startswith("LTXCondition") else 0
    return Layout(lambda tensor: tensor[:, first:first + count].unflatten(1, (frames, rows, columns)), "BTHWC", lambda x0: x0.movedim(-1, 1))
