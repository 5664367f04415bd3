"""A training under way: one process's networks, optimiser and moving average, one step at a time."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from ift.decoder import Decoder
from ift.encoder import Encoder
from ift.errors import DivergenceError, WeightsError
from ift.reflect_conv import ReflectConv
from ift.stylizer import fastest_dtype
from ift.training.autoencoder import Encoding, Reconstruct, Reconstruction, encode
from ift.training.draws import Draw
from ift.training.losses import autoencoder_loss, loss_terms
from ift.training.recipe import Recipe, Stage, stage_at
from ift.training.whitening import InputWhitening, WhitenedAdam, whiten_inputs
from ift.weights import below

Wrap = Callable[[nn.Module], nn.Module]

_WHITENING = ("channels", "taps")


class Training:
    """Trains a decoder by a recipe.

    The weights are float32; the networks compute in `dtype`, the losses in float32.

    Args:
        encoder: stays as it is.
        decoder: where training begins; it is trained in place.
        recipe: what to do.
        lengths: steps of each stage (`schedule`).
        device: where to compute.
        dtype: of the networks' arithmetic; the fastest that the device multiplies, if not given.
        wrap: makes the module that decodes a data-parallel one; called at the start of each stage, because the stages
            train different weights.

    Attributes:
        step: how many steps are done.
        averaged: the decoder with the moving average of the weights: the result so far.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        recipe: Recipe,
        lengths: tuple[int, ...],
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
        wrap: Wrap = lambda module: module,
    ) -> None:
        self.recipe, self.lengths = recipe, lengths
        self.device = torch.device(device)
        self.dtype = dtype or fastest_dtype(self.device)
        self.encoder = encoder.to(self.device, self.dtype).to(memory_format=torch.channels_last).requires_grad_(False)
        self._decoder = decoder.to(self.device, torch.float32).to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self._decoder).requires_grad_(False)
        self._wrap = wrap
        self.step = 0
        self._enter_stage()

    @property
    def total(self) -> int:
        """Steps of all stages."""
        return sum(self.lengths)

    @property
    def stage(self) -> tuple[int, Stage]:
        """The step at which the stage under way begins, and the stage; the last one when all is done."""
        return self._first, self._stage

    @property
    def needs_calibration(self) -> bool:
        """Whether the stage needs `calibrate` before its first step."""
        return self._optimiser is None

    def calibrate(self, images: Tensor) -> None:
        """Measures the inputs of the convolutions that the stage trains.

        Args:
            images: (B, 3, H, W) in [0, 1], the same on every worker.
        """
        deepest = max(level for level, _ in self._stage.levels)
        encoding = encode(self.encoder, self._placed(images), deepest, self._stage.gates)
        reconstruct = Reconstruct(self._decoder)

        def passes() -> Iterator[Reconstruction]:
            for level, _ in self._stage.levels:
                for gate in (0.0, 1.0) if self._stage.gates else (0.0,):
                    with self._precision():
                        yield reconstruct(encoding, level, gate)

        self._optimise(whiten_inputs(self._convolutions(), passes))

    def advance(self, images: Tensor, draw: Draw) -> dict[str, float]:
        """One step.

        Args:
            images: (B, 3, H, W) in [0, 1]: what `draw.crops` names, or a worker's equal share of it.
            draw: the level and the gate.

        Returns:
            The terms of the loss, weighed, their sum `loss`, `gradient_norm` and `learning_rate`.

        Raises:
            DivergenceError: the loss or its gradient is not finite; no weight was changed.
        """
        assert self._optimiser is not None
        images = self._placed(images)
        with torch.no_grad():
            encoding = encode(self.encoder, images, draw.level, draw.gate > 0)
        with self._precision():
            reconstruction = self._reconstruct(encoding, draw.level, draw.gate)
            reencoded = encode(self.encoder, reconstruction.images, draw.level)
        terms = self._losses(images, encoding, reconstruction, reencoded, draw)
        self._optimiser.zero_grad()
        loss = torch.stack(list(terms.values())).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self._trained().values(), self.recipe.clip or float("inf"))
        # All at once: a GPU is waited for each time that a number is asked for.
        *values, total, length = torch.stack([*terms.values(), loss, norm]).tolist()
        if not (math.isfinite(total) and math.isfinite(length)):
            raise DivergenceError(f"the loss is {total} at step {self.step}: try a lower learning rate")
        rate = self.recipe.learning_rate(self._stage, self.step - self._first, self._length)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        self._average()
        self.step += 1
        if self.step == self._first + self._length and self.step < self.total:
            self._enter_stage()
        return {**dict(zip(terms, values, strict=True)), "loss": total, "gradient_norm": length, "learning_rate": rate}

    def weights(self) -> dict[str, Tensor]:
        """The result so far, in half precision, as the weight file has it."""
        return {f"decoder.{key}": value.half().contiguous().cpu() for key, value in self.averaged.state_dict().items()}

    def state(self) -> dict[str, Tensor]:
        """All that `load` needs to go on from here as if nothing had been."""
        state = {"step": torch.tensor(self.step)}
        state |= {f"decoder.{key}": value for key, value in self._decoder.state_dict().items()}
        state |= {f"averaged.{key}": value for key, value in self.averaged.state_dict().items()}
        for name, whitening in self._whitening.items():
            state |= {f"whitening.{name}.channels": whitening.channels, f"whitening.{name}.taps": whitening.taps}
        if self._optimiser is not None:
            names = list(self._trained())
            for number, values in self._optimiser.state_dict()["state"].items():
                state |= {f"optimiser.{names[number]}.{key}": value for key, value in values.items()}
        return {key: value.detach().cpu().contiguous() for key, value in state.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Goes back, or on, to where `state` was made.

        Raises:
            WeightsError: it is of another training.
        """
        try:
            self._decoder.load_state_dict(below(state, "decoder."))
            self.averaged.load_state_dict(below(state, "averaged."))
            self.step = int(state["step"])
            self._enter_stage(keep=True)
            saved = below(state, "optimiser.")
            if not saved and not any(key.startswith("whitening.") for key in state):
                return
            whitening = {
                name: InputWhitening(*(state[f"whitening.{name}.{part}"].to(self.device) for part in _WHITENING))
                for name in self._convolutions()
                if self.recipe.whitened
            }
            self._optimise(whitening)
            assert self._optimiser is not None
            fresh = self._optimiser.state_dict()
            moments = {number: below(saved, f"{name}.") for number, name in enumerate(self._trained())}
            fresh["state"] = {number: dict(values) for number, values in moments.items() if values}
            self._optimiser.load_state_dict(fresh)
        except (KeyError, RuntimeError, ValueError) as error:
            raise WeightsError(f"the checkpoint is of another training: {str(error).splitlines()[0]}") from error

    def _enter_stage(self, keep: bool = False) -> None:
        """Finds the stage of `step` and what it trains; it begins with the average of the one before, unless `keep`."""
        self._first, number = stage_at(self.lengths, self.step)
        self._stage, self._length = self.recipe.stages[number], self.lengths[number]
        if not keep:
            self._decoder.load_state_dict(self.averaged.state_dict())
        for level in range(1, 5):
            getattr(self._decoder, f"block{level}").requires_grad_(level in self._stage.blocks)
        self._reconstruct = self._wrap(Reconstruct(self._decoder))
        self._optimiser: torch.optim.Adam | None = None
        self._whitening: dict[str, InputWhitening] = {}
        if not self.recipe.whitened:
            self._optimise({})

    def _optimise(self, whitening: dict[str, InputWhitening]) -> None:
        self._whitening = whitening
        by_parameter = {self._convolutions()[name].weight: k for name, k in whitening.items()}
        self._optimiser = WhitenedAdam(
            self._trained().values(), self._stage.learning_rate, self.recipe.betas, by_parameter
        )

    def _trained(self) -> dict[str, nn.Parameter]:
        """The weights that the stage trains, by name, in the optimiser's order."""
        return {name: value for name, value in self._decoder.named_parameters() if value.requires_grad}

    def _convolutions(self) -> dict[str, ReflectConv]:
        """Those that the stage trains, by name."""
        return {
            name: module
            for name, module in self._decoder.named_modules()
            if isinstance(module, ReflectConv) and module.weight.requires_grad
        }

    def _losses(
        self, images: Tensor, encoding: Encoding, ours: Reconstruction, reencoded: Encoding, draw: Draw
    ) -> dict[str, Tensor]:
        if self._stage.terms is None:
            loss = autoencoder_loss(images, ours.images, encoding.features[-1], reencoded.features[-1])
            return {"autoencoder": loss}
        return loss_terms(self._stage.terms[draw.level], images, encoding, ours, reencoded, draw.gate)

    @torch.no_grad()
    def _average(self) -> None:
        """The average follows fast at first, so that a stage's beginning is soon forgotten."""
        done = self.step - self._first + 1
        average = self._stage.average
        decay = min(average, done / (done + 10)) if average is not None else 0.0
        averages: list[Tensor] = list(self.averaged.parameters())
        torch._foreach_lerp_(averages, list(self._decoder.parameters()), 1 - decay)

    def _placed(self, images: Tensor) -> Tensor:
        return images.to(self.device).contiguous(memory_format=torch.channels_last)

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)
