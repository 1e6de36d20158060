"""Where a scheduler's step has its estimate of the clean latent (x0). No pipeline hands it out.

A table by class, because nothing else tells: the second value of a step is x0 for one scheduler and another noisy sample for the next.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


class NoPreview(Exception):
    """This scheduler or pipeline has nothing to show; the message says why."""


class Call:
    """One call of ``scheduler.step``. ``x`` is the sample, ``m`` the model's output, both cut to what is shown; ``cut`` does that with any
    other tensor of their shape. ``index`` is the scheduler's own, None where it counts none."""

    __slots__ = ("scheduler", "x", "m", "arguments", "index", "result", "cut", "_scratch")

    def __init__(self, scheduler: Any, x: Any, m: Any, arguments: dict[str, Any], index: int | None, result: Any,
                 cut: Callable[[Any], Any], scratch: list[Any]) -> None:
        self.scheduler, self.x, self.m, self.arguments = scheduler, x, m, arguments
        self.index, self.result, self.cut, self._scratch = index, result, cut, scratch

    def blend(self, a: Any, b: Any) -> Any:
        """a x + b m, as every formula is. ``scratch`` holds its memory from step to step: to ask for a megabyte anew costs more than the sum."""
        torch, scratch, x, m = sys.modules["torch"], self._scratch, self.x, self.m
        if not scratch:
            scratch += [m * b + x * a, x * a]
            return scratch[0]
        if type(b) is float:  # a level on a device would have to be waited for
            return torch.add(x, m, alpha=b, out=scratch[0]) if a is ONE else torch.mul(x, a, out=scratch[0]).add_(m, alpha=b)
        torch.mul(m, b, out=scratch[0])
        return torch.add(scratch[0], x if a is ONE else torch.mul(x, a, out=scratch[1]), out=scratch[0])


Rule = Callable[[Call], Any]
ONE = 1.0


# --- the rules -------------------------------------------------------------------------------------------------------


def returned(call: Call) -> Any:
    """The scheduler gives it beside the next sample."""
    result = call.result
    if isinstance(result, tuple):
        return call.cut(result[1])
    found = getattr(result, "pred_original_sample", None)
    return call.cut(result.denoised if found is None else found)


def of_solver(call: Call) -> Any:
    """DPM-Solver and UniPC: the x0 that the solver has worked with and keeps, unless it works with noise."""
    config = call.scheduler.config
    if config.get("algorithm_type") in ("dpmsolver++", "sde-dpmsolver++") or config.get("predict_x0"):
        return call.cut(call.scheduler.model_outputs[-1])
    return of_sigmas(call)


def of_sigmas(call: Call) -> Any:
    """Levels by step, then by what the model predicts."""
    alpha, sigma = call.scheduler._sigma_to_alpha_sigma_t(_sigma(call))
    return by_prediction(call, alpha, sigma)


def of_alphas(call: Call) -> Any:
    """Levels by timestep, as in the DDPM paper."""
    square = call.scheduler.alphas_cumprod[call.arguments["timestep"]]
    return by_prediction(call, square ** 0.5, (1 - square) ** 0.5)


def _sigma(call: Call) -> Any:
    """This step's noise level. As a number where it lies on the CPU; on a device that would have to be waited for."""
    sigma = call.scheduler.sigmas[call.index]
    return float(sigma) if sigma.is_cpu else sigma


def by_prediction(call: Call, alpha: Any, sigma: Any) -> Any:
    """x0 where x = alpha x0 + sigma noise; flow: x = (1 - sigma) x0 + sigma noise."""
    kind = call.scheduler.config.prediction_type
    if kind == "epsilon":
        return call.blend(1 / alpha, -sigma / alpha)
    if kind == "v_prediction":
        return call.blend(alpha, -sigma)
    if kind == "sample":
        return call.m
    if kind == "flow_prediction":
        return call.blend(ONE, -sigma)
    raise NoPreview(f"{type(call.scheduler).__name__} has prediction_type {kind!r}; expected epsilon, v_prediction, sample or flow_prediction")


def of_flow(call: Call) -> Any:
    """The model's output is a velocity towards the noise."""
    if (levels := call.arguments.get("per_token_timesteps")) is not None:  # LTX with conditions hands in the opposite velocity
        levels = levels[..., None] / call.scheduler.config.num_train_timesteps
        return call.blend(ONE, call.cut(levels.expand_as(call.arguments["sample"])))
    return call.blend(ONE, -_sigma(call))


def of_distilled_flow(call: Call) -> Any:
    """Helios, distilled: levels come with the call."""
    timesteps, timestep = call.arguments["dmd_timesteps"], call.arguments["timestep"]
    sigma = call.arguments["dmd_sigmas"][(timesteps - timestep).abs().argmin()]
    return call.blend(ONE, -sigma)


def of_velocity_to_the_picture(call: Call) -> Any:
    """MiniMax H3: time runs from noise at 0 to the picture at 1."""
    return call.blend(ONE, 1 - call.arguments["timestep"])


def of_preconditioning(call: Call) -> Any:
    return call.scheduler.precondition_outputs(call.x, call.m, call.scheduler.sigmas[call.index])


def of_boundary(call: Call) -> Any:
    """Consistency models."""
    skip, out = call.scheduler.get_scalings_for_boundary_condition(call.scheduler.sigmas[call.index])
    return call.blend(skip, out)


def of_two_tables(call: Call) -> Any:
    """IPNDM keeps both levels."""
    scheduler = call.scheduler
    return call.blend(scheduler.alphas[call.index], -scheduler.betas[call.index])


def of_wuerstchen(call: Call) -> Any:
    """Its levels are continuous, and its timestep a batch of equal ones."""
    square = call.scheduler._alpha_cumprod(call.arguments["timestep"].reshape(-1)[:1], call.x.device)
    return call.blend(square ** -0.5, -((1 - square) / square) ** 0.5)


# --- the table -------------------------------------------------------------------------------------------------------

RULES: dict[str, Rule] = {
    **dict.fromkeys((
        "DDIMScheduler", "DDIMParallelScheduler", "CogVideoXDDIMScheduler", "CogVideoXDPMScheduler", "DDPMScheduler", "DDPMParallelScheduler",
        "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "EDMEulerScheduler", "HeunDiscreteScheduler", "KDPM2DiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler", "DPMSolverSDEScheduler", "LMSDiscreteScheduler", "UnCLIPScheduler", "RePaintScheduler",
        "LCMScheduler", "SCMScheduler"), returned),
    **dict.fromkeys(("TCDScheduler", "PNDMScheduler"), of_alphas),
    **dict.fromkeys(("DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler", "UniPCMultistepScheduler"), of_solver),
    **dict.fromkeys(("DEISMultistepScheduler", "SASolverScheduler"), of_sigmas),
    **dict.fromkeys((
        "FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler", "FlowMatchLCMScheduler", "FlowMapEulerDiscreteScheduler",
        "LTXEulerAncestralRFScheduler", "HeliosScheduler"), of_flow),
    "HeliosDMDScheduler": of_distilled_flow,
    "MiniMaxH3Scheduler": of_velocity_to_the_picture,
    **dict.fromkeys(("EDMDPMSolverMultistepScheduler", "CosineDPMSolverMultistepScheduler"), of_preconditioning),
    "CMStochasticIterativeScheduler": of_boundary,
    "IPNDMScheduler": of_two_tables,
    "DDPMWuerstchenScheduler": of_wuerstchen,
}
"""By class. A class that is derived from one of these follows it."""

WITHOUT: dict[str, str] = {
    **dict.fromkeys(("DDIMInverseScheduler", "DPMSolverMultistepInverseScheduler"), "it goes from a picture to noise"),
    **dict.fromkeys(("ScoreSdeVeScheduler", "ScoreSdeVpScheduler", "KarrasVeScheduler", "ConsistencyDecoderScheduler"), "it works on pixels"),
    **dict.fromkeys(("AmusedScheduler", "VQDiffusionScheduler", "BlockRefinementScheduler", "DiscreteDDIMScheduler", "EntropyBoundScheduler"),
                    "it works on tokens, not on latents"),
}
"""Why there is nothing to show."""

_NAMED_RESULTS = ("pred_original_sample", "denoised")


def rule(scheduler: Any) -> Rule:
    """How a scheduler's x0 is had; ``NoPreview`` where it has none or nobody knows."""
    for kind in type(scheduler).__mro__:
        if kind.__name__ in RULES:
            return RULES[kind.__name__]
        if kind.__name__ in WITHOUT:
            raise NoPreview(f"{type(scheduler).__name__} has no previews: {WITHOUT[kind.__name__]}")
    if hasattr(scheduler, "_sigma_to_alpha_sigma_t"):
        return of_sigmas
    return _named


def _named(call: Call) -> Any:
    """An unknown scheduler: only what its result calls x0 is taken for it. A tuple has no names."""
    found = None
    if not isinstance(call.result, tuple):
        found = next((value for name in _NAMED_RESULTS if (value := getattr(call.result, name, None)) is not None), None)
    if found is None or not found.is_floating_point():
        raise NoPreview(f"{type(call.scheduler).__name__} is not known, and nothing it returns is called {' or '.join(_NAMED_RESULTS)}; "
                        f"known are {', '.join(sorted(RULES))}")
    return call.cut(found)
