"""Looks over a pipeline's shoulder: ``pipe.scheduler.step``, wrapped as long as somebody watches.

Design notes. Pipelines look into the signature of ``step`` for ``generator`` and ``eta`` and leave out what they do not find there, so a plain
wrapper changes the picture without an error: ours has the original's signature. Some deep-copy the scheduler: ours is a bound method,
which a copy binds to the copy, and lets through every call of another object. A ``step`` that somebody else set is called and put back.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, Protocol

from ..streams import choice_of
from ..tensors import Choice
from . import latents
from .denoised import Call, NoPreview, Rule, rule


class Viewer(Protocol):
    """Who is shown what a pipeline does. All but ``said`` are called on the pipeline's thread."""

    def stop_here(self) -> None:
        """Called before each step; what it raises ends the pipeline."""

    def options(self) -> dict[str, Any]:
        """Preview options, read at the beginning of a run."""

    def begin(self, latent_format: str | None) -> None:
        """A run begins."""

    def show(self, x0: Any, step: int, total: int) -> None:
        """A step's x0, in an order that the bridge reads. ``total`` is 0 where the pipeline does not know it."""

    def said(self, text: str) -> None:
        """Something that there is no preview for, or why."""


class Watch:
    """One pipeline under watch. ``remove`` leaves it as it was found. ``first`` is the step that comes next, where some went unseen."""

    def __init__(self, pipe: Any, viewer: Viewer, first: int = 0) -> None:
        self.pipe, self._viewer, self._first = pipe, viewer, first
        self.scheduler = pipe.scheduler
        self.steps = 0  # seen in all
        self._timesteps: Any = None
        self._step = self._total = 0  # of the run
        self._rule: Rule | None = None
        self._cut: Callable[[Any], Any] | None = None
        self._finish: Callable[[Any], Any] | None = None
        self._factor = 1.0
        self._scratch: list[Any] = []
        self._format: str | None = None
        self._shape: Any = None
        self._refused = False
        self._own = vars(self.scheduler).get("step")  # somebody else's
        self._install()

    def remove(self) -> None:
        """Takes the wrapper off, unless somebody has put another one over it."""
        if vars(self.scheduler).get("step") is not self._installed:
            return
        if self._own is None:
            del self.scheduler.step
        else:
            self.scheduler.step = self._own

    def _install(self) -> None:
        scheduler, own, inner = self.scheduler, self._own, self.scheduler.step
        signature = inspect.signature(inner)
        names = tuple(inspect.signature(type(scheduler).step).parameters)[1:]

        @functools.wraps(type(scheduler).step)
        def step(this: Any, /, *arguments: Any, **named: Any) -> Any:
            if this is not scheduler:  # a copy
                original = own.__func__ if isinstance(own, types.MethodType) else type(this).step
                return original(this, *arguments, **named)
            self._viewer.stop_here()
            index = getattr(scheduler, "_step_index", None)
            result = inner(*arguments, **named)
            try:
                self._look({**dict(zip(names, arguments, strict=False)), **named}, index, result)
            except NoPreview as reason:
                self._refuse(str(reason))
            except Exception as error:
                self._refuse(f"{type(self.pipe).__name__} with {type(scheduler).__name__}: {error!r}")
            return result

        this = inspect.Parameter("this", inspect.Parameter.POSITIONAL_ONLY)
        step.__signature__ = signature.replace(parameters=[this, *signature.parameters.values()])
        scheduler.step = self._installed = types.MethodType(step, scheduler)

    def _look(self, arguments: dict[str, Any], index: int | None, result: Any) -> None:
        scheduler, x, m = self.scheduler, arguments["sample"], arguments["model_output"]
        self.steps += 1
        if scheduler.timesteps is not self._timesteps or (self._total and self._step >= self._total):
            self._begin()
        number, self._step = self._step, self._step + 1
        if self._refused:
            return
        if x.shape != self._shape:
            self._arrange(x.shape)
        if index is None and hasattr(scheduler, "_step_index"):
            index = scheduler._step_index - 1
        if m.shape != x.shape:
            m = m[:, :x.shape[1]] if m.shape[1:2] > x.shape[1:2] and m.ndim == x.ndim else m  # a learned variance behind the noise
        cut = self._cut
        x0 = self._finish(self._rule(Call(scheduler, cut(x), cut(m), arguments, index, result, cut, self._scratch)))
        if self._factor != 1.0:
            x0 = x0 / self._factor
        self._viewer.show(x0, number, self._total)

    def _begin(self) -> None:
        """The first step of a run."""
        pipe = self.pipe
        self._timesteps = self.scheduler.timesteps
        self._step, self._first = self._first, 0
        self._shape, self._refused = None, False
        self._total = _total(pipe, self.scheduler)
        self._rule, self._factor = rule(self.scheduler), latents.factor_of(pipe)
        self._format = latents.format_of(pipe)
        self._viewer.begin(self._format)

    def _arrange(self, shape: Any) -> None:
        """The first step, or the first of another shape."""
        choice: Choice = choice_of(self._viewer.options(), self._format)
        layout = latents.layout_of(self.pipe, shape, latents.size_of(4) if len(shape) == 3 else latents.Size())
        self._cut, self._finish, self._shape = layout.cut(choice), layout.finish, shape
        self._scratch = []

    def _refuse(self, reason: str) -> None:
        """No preview until the next run."""
        self._refused = True
        self._viewer.said(reason)


def _total(pipe: Any, scheduler: Any) -> int:
    """Calls of ``step`` in this run: the pipeline knows, the scheduler's list is longer where a picture is only changed."""
    try:
        return int(pipe.num_timesteps)
    except (AttributeError, TypeError):
        return len(scheduler.timesteps) - (type(scheduler).__name__ == "SCMScheduler")
