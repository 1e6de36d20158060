"""Simple pictures made in Python, for runs without a host.

Design notes. ``LastResort`` has the part of a bridge's face that a sampling needs (``begin``, ``submit``, ``wait``, ``end``), so an integration
uses one or the other. The sampler's thread copies the latent and rings. One thread takes the newest latent there is, decodes it with
the PyTorch that the UI has loaded, and hands over a ``Preview``. It then rests: the cores are the run's.

``tiny`` is a function of its weights and no ``torch.nn.Module``: UIs replace the constructors of layers while they load a model on another thread.
"""

from __future__ import annotations

import atexit
import functools
import json
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple

from .. import axes as axis_order
from .. import formats, host_locator, tensors
from ..preview import Preview
from ..protocol import BF16, F16
from ..streams import choice_of
from .ready_image import encode

LIMIT_SECONDS = 0.5
"""A run in which ``tiny`` took longer once goes on with ``latent2rgb``."""
REST = 1.0
REST_BESIDE_CPU = 9.0
"""How long no latent is taken after a picture, in times of what that took: half of the time, and a tenth where the sampler computes on the same cores."""
NOTE = "in Python: LatentBridge has no host, see its settings"
MODELS = host_locator.HOME / "models"


class Run:
    """One sampling: how its latents are read, and what becomes of them."""

    def __init__(self, number: int, latent_format: str, staging: tensors.Staging, options: dict[str, Any]) -> None:
        self.number, self.latent_format = number, latent_format
        self.size, self.encoding = options.get("size", 0), options.get("encoding", "png")
        self.takes_tiny = options.get("decoder") != "latent2rgb"
        self.reader = tensors.Reader(choice_of(options, latent_format)._replace(before=0, whole=False), staging)


class Waiting(NamedTuple):
    """A latent on its way: in ``buffer``, or still in ``source``, where a device writes it."""

    run: Run
    source: tensors.Source
    buffer: bytearray | None
    step: int
    total: int
    submitted: float


class LastResort:
    """``on_preview`` is called on the thread of this object, ``say`` with each kind of trouble. ``clock`` gives seconds."""

    def __init__(self, on_preview: Callable[[Preview], None], say: Callable[[str], None], clock: Callable[[], float] = time.perf_counter) -> None:
        self._on_preview, self._say, self._clock = on_preview, say, clock
        self._run: Run | None = None
        self._latest: Preview | None = None
        self._sequence = 0
        self._rests_until = -math.inf
        self._given_up: set[str] = set()  # formats that could not be shown
        self._staging = tensors.Staging()
        self._spare: deque[bytearray] = deque(maxlen=2)
        self._waiting: deque[Waiting] = deque(maxlen=1)
        self._rung: SimpleQueue[bool] = SimpleQueue()  # False: the end
        self._arrived = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_open = True

    @property
    def off_reason(self) -> None:
        """As a bridge's: never off. Ask ``shows`` before."""

    @property
    def is_there(self) -> bool:
        """Whether this process has what is needed."""
        return self._is_open and "torch" in sys.modules

    def shows(self, latent_format: str | None) -> bool:
        """Whether latents of this format are shown."""
        return self.is_there and latent_format not in self._given_up and bool(formats.numbers(latent_format).get("rgb"))

    # --- the sampler's thread ----------------------------------------------------------------------------------------

    def begin(self, *, run: int, latent_format: str, **options: Any) -> None:
        """Begins a run, in place of the one before. Of the bridge's options ``decoder``, ``size``, ``batch``, ``item``, ``frame`` and ``encoding`` count."""
        self._latest = None
        self._run = Run(run, latent_format, self._staging, options)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="latentbridge-last-resort", daemon=True)
            self._thread.start()
            atexit.register(self.close)  # a thread that is still inside of PyTorch when Python ends brings the process down

    def submit(self, latent: Any, *, run: int, step: int, total: int = 0) -> bool:
        """Takes a copy of a step's latent and returns at once; False where this step is not shown. Never raises."""
        now, mine = self._clock(), self._run
        if mine is None or mine.number != run or (now < self._rests_until and not 0 < total <= step + 1):
            return False
        try:
            source = mine.reader.read(latent)
            if source.length > tensors.LARGEST:
                raise tensors.LatentError(tensors.too_large(source.length, tensors.LARGEST))
            self._waiting.append(Waiting(mine, source, None if source.on_device else self._copy(source), step, total, now))
            self._rung.put(True)
            return True
        except Exception as error:
            self._give_up(mine, error)
            return False

    def wait(self, *, run: int, step: int, timeout: float) -> Preview | None:
        """Waits at most ``timeout`` seconds for the picture of this step of the run."""
        def found() -> Preview | None:
            latest = self._latest
            return latest if latest is not None and latest.run == run and latest.step >= step else None

        with self._arrived:
            return self._arrived.wait_for(found, timeout)

    def end(self, *, run: int) -> None:
        """Nothing of the run is shown any more."""
        if self._run is not None and self._run.number == run:
            self._run = None

    def close(self) -> None:
        """Ends the thread, after the picture that it makes now. Nothing is shown from here on."""
        self._is_open, self._run = False, None
        thread, self._thread = self._thread, None
        if thread is not None:
            atexit.unregister(self.close)
            self._rung.put(False)
            thread.join(2 * LIMIT_SECONDS)

    def _copy(self, source: tensors.Source) -> bytearray:
        try:
            buffer = self._spare.popleft()
        except IndexError:
            buffer = bytearray()
        if len(buffer) != source.length:
            buffer = bytearray(source.length)
        source.copy_into(memoryview(buffer))
        return buffer

    def _give_up(self, run: Run, error: Exception) -> None:
        self._given_up.add(run.latent_format)
        self._say(f"Python makes no previews of {run.latent_format} without a host: {error!r}")

    # --- our thread --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while self._rung.get():
            try:
                waiting = self._waiting.popleft()
            except IndexError:  # replaced by a newer one, which is shown already
                continue
            try:
                self._show(waiting)
            except Exception as error:
                self._give_up(waiting.run, error)

    def _show(self, waiting: Waiting) -> None:
        run, source, buffer, step, total, submitted = waiting
        while not source.ready():
            time.sleep(0.001)
        began = self._clock()
        if buffer is None:
            buffer = self._copy(source)
        decoder, pictures = self._decode(run, planes(buffer, source, run.latent_format))
        image = _image(pictures, run.size)
        self._spare.append(buffer)
        data = image.tobytes() if run.encoding == "rgb24" else encode(image, run.encoding)
        now = self._clock()
        self._rests_until = now + (now - began) * (REST if source.on_device else REST_BESIDE_CPU)
        self._sequence += 1
        preview = Preview(data, run.encoding, image.width, image.height, run.number, 0, step, total, self._sequence, decoder,
                          (now - submitted) * 1000, note=NOTE)
        with self._arrived:
            if self._run is not run:
                return
            self._latest = preview
            self._arrived.notify_all()
        self._on_preview(preview)

    def _decode(self, run: Run, x0: Any) -> tuple[str, Any]:
        """The decoder's id and its pictures ``[B,3,H,W]``, about 0..1."""
        if run.takes_tiny and (weights := _weights(run.latent_format)):
            began = self._clock()
            pictures = tiny(x0, weights)
            run.takes_tiny = self._clock() - began <= LIMIT_SECONDS
            return "tiny", pictures
        return "latent2rgb", latent2rgb(x0, run.latent_format)


# --- decoders: ``[B,C,H,W]`` in the sampler's scale to ``[B,3,H,W]``, about 0..1 ---------------------------------------


def latent2rgb(x0: Any, latent_format: str) -> Any:
    """A linear map of the channels: one pixel a cell."""
    import torch

    table = formats.numbers(latent_format)["rgb"][0]
    factors, bias = (torch.tensor(table[name], dtype=torch.float32, device="cpu") for name in ("factors", "bias"))
    return (torch.einsum("bchw,cr->brhw", x0, factors) + bias[:, None, None] + 1) / 2


def tiny(x0: Any, weights: dict[str, Any]) -> Any:
    """LatentBridge's own tiny decoder: four pixels a cell and side. The maths is in ``models/tiny/README.md``."""
    import torch
    from torch.nn.functional import conv2d, pixel_shuffle

    def conv(x: Any, name: str) -> Any:
        return conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)

    with torch.inference_mode():
        h = torch.relu(conv(torch.tanh(x0 / 3) * 3, "conv_in"))
        for block in range(4):
            h = torch.relu(h + conv(torch.relu(conv(h, f"blocks.{block}.0")), f"blocks.{block}.1"))
        return pixel_shuffle(conv(h, "conv_out"), 4) + 0.5


@functools.lru_cache(4)
def _weights(latent_format: str) -> dict[str, Any]:
    """Those of the format's ``tiny``; empty where it has none, or its file is not there (ComfyUI's registry has it in the wheel only) or damaged."""
    import torch

    from ..reference.weights import read

    try:
        manifest = json.loads((MODELS / "manifest.json").read_text(encoding="utf-8"))
        files = (entry["file"] for entry in manifest["weights"] if entry["architecture"] == "latentbridge-tiny" and latent_format in entry["formats"])
        return next(({name: torch.from_numpy(values) for name, values in read(MODELS / file).items()} for file in files), {})
    except (OSError, ValueError, KeyError):
        return {}


def planes(buffer: bytearray, source: tensors.Source, latent_format: str) -> Any:
    """The copied part of a latent as ``[B,C,H,W]`` in F32, unpacked; ``LatentError`` for tokens and for other channels than the format's."""
    import torch

    order, numbers = axis_order.order(source.axes, latent_format), formats.numbers(latent_format)
    dtype = {F16: torch.float16, BF16: torch.bfloat16}.get(source.element_type, torch.float32)
    x0 = torch.frombuffer(buffer, dtype=dtype).view(source.axes).float()
    if "T" in order:
        x0, order = x0.select(order.index("T"), 0), order.replace("T", "")
    if "B" not in order:
        x0, order = x0[None], f"B{order}"
    side = numbers.get("unpack", 1)
    channels = formats.channels(latent_format)
    if sorted(order) != sorted("BCHW") or x0.shape[order.index("C")] not in (channels, channels // side ** 2):
        raise tensors.LatentError(f"the latent's shape is {source.axes}; expected [B,C,H,W] with {channels} channels")
    x0 = x0.permute(*map(order.index, "BCHW"))
    return torch.nn.functional.pixel_shuffle(x0, side) if side > 1 and x0.shape[1] == channels else x0


def _image(pictures: Any, size: int) -> Any:
    """A PIL image of all of them, in the host's grid, the longest side ``size`` pixels long (0: as it is)."""
    from PIL import Image

    count, _, height, width = pictures.shape
    rows = round(math.sqrt(count))
    columns = math.ceil(count / rows)
    levels = (pictures.nan_to_num().clamp(0, 1) * 255 + 0.5).byte()
    grid = levels.new_zeros(rows * columns, 3, height, width)
    grid[:count] = levels
    rgb = grid.view(rows, columns, 3, height, width).permute(0, 3, 1, 4, 2).reshape(rows * height, columns * width, 3)
    image = Image.fromarray(rgb.contiguous().numpy())
    if not size or size == max(image.size):
        return image
    scale = size / max(image.size)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.BICUBIC)
