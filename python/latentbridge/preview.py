"""What comes back: a finished picture of one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

ALARMS = ("nan", "flat", "exploding", "still", "motionless")
"""What the host says of a run that goes wrong (docs/warnings.md)."""


class ClipPlace(NamedTuple):
    """Where a picture belongs in a moving picture of ``pictures``, of which ``sharp`` were made by a network; ``rate`` are pictures a second."""

    picture: int
    pictures: int
    sharp: int
    rate: float


@dataclass(frozen=True)
class Preview:
    """An encoded picture of one sampler step.

    ``data`` is a finished file (PNG, JPEG, WebP) or, for encoding ``rgb24``, rows of 8-bit RGB without padding. Width and
    height in pixels, ``step`` 0-based, ``total`` 0 when unknown. ``milliseconds`` runs from ``submit`` to these bytes; the
    three parts of it that the host measured stand beside it. ``note`` says in a few words why the decoder that was chosen did not make
    it; ``warnings`` are sentences about what somebody should look after. ``alarm`` is one of ``ALARMS`` when the run goes wrong, else empty;
    the first of ``warnings`` then says it as a sentence. ``clip`` says where in a moving picture it belongs, if it does.
    """

    data: bytes
    encoding: str
    width: int
    height: int
    run: int
    stream: int
    step: int
    total: int
    sequence: int
    decoder: str
    milliseconds: float
    decode_milliseconds: float = 0.0
    encode_milliseconds: float = 0.0
    wait_milliseconds: float = 0.0
    warnings: tuple[str, ...] = ()
    note: str = ""
    alarm: str = ""
    clip: ClipPlace | None = None

    @property
    def is_last_step(self) -> bool:
        return 0 < self.total <= self.step + 1

    @property
    def media_type(self) -> str:
        """For HTTP and data URLs: ``image/png`` and the like (``application/octet-stream`` for raw RGB24)."""
        return "application/octet-stream" if self.encoding == "rgb24" else f"image/{self.encoding}"
