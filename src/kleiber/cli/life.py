"""What a plan for the whole life of a model may be asked, as options that commands share.

One idea: every option is a field of `kleiber.plan.architecture.Brief`, under the same name.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli.options import assignments
from kleiber.errors import InputError

if TYPE_CHECKING:
    from kleiber.fit import Fit

Text = str | None


@dataclass(frozen=True, kw_only=True)
class Life:
    """Architecture, serving, hardware and money. Any of these makes it a plan for a shape to build."""

    family: Annotated[
        Text, typer.Option(metavar="NAMES", help="Families to choose from: dense,experts,ssm,hybrid. [default: all]")
    ] = None
    context: Annotated[
        Text, typer.Option(metavar="TOKENS", help="The longest sequence served; memory and latency are taken there.")
    ] = None
    train_context: Annotated[
        Text, typer.Option(metavar="TOKENS", help="Sequence length in training. [default: the context, at most 8192]")
    ] = None
    hardware: Annotated[Text, typer.Option(metavar="NAME", help="A device of kleiber cost: h100, h200, b200, ...")] = (
        None
    )
    hardware_file: Annotated[
        Text, typer.Option(metavar="FILE", help="Devices of your own, as hardware.toml has them.")
    ] = None
    devices: Annotated[Text, typer.Option(metavar="N", help="Devices to train on.")] = None
    price: Annotated[
        Text, typer.Option(metavar="USD", help="Per device and hour; a range 2..4 is its middle 80 %.")
    ] = None
    max_memory_gb: Annotated[Text, typer.Option(metavar="GB", help="Per device that serves.")] = None
    max_ttft_ms: Annotated[Text, typer.Option(metavar="MS", help="Time to the first token after a full prompt.")] = None
    max_tpot_ms: Annotated[Text, typer.Option(metavar="MS", help="Time per token written, at the full context.")] = None
    unique_tokens: Annotated[
        Text, typer.Option(metavar="QUANTITY", help="Before data repeats; 200B:1,2T:0.6 for tiers of lesser worth.")
    ] = None
    max_cost: Annotated[Text, typer.Option(metavar="USD", help="For training and serving together.")] = None
    max_gpu_hours: Annotated[Text, typer.Option(metavar="HOURS", help="Device-hours of training.")] = None
    deadline_days: Annotated[Text, typer.Option(metavar="DAYS", help="Of training, on --devices.")] = None
    output_share: Annotated[
        float | None, typer.Option(help="The part of the served tokens that is written. [default: 0.25]")
    ] = None
    minimise: Annotated[
        Text, typer.Option(metavar="NAME", help="loss, or money, time or energy for a --loss-target. [default: loss]")
    ] = None
    loss_target: Annotated[Text, typer.Option(metavar="LOSS", help="The loss to reach.")] = None
    vocabulary: Annotated[
        Text, typer.Option(metavar="N", help="Of the tokenizer. [default: 128256; 256 for losses per byte]")
    ] = None
    precision: Annotated[
        Text, typer.Option(metavar="NAME", help="Of serving; bf16,fp8 tries both. [default: bf16]")
    ] = None
    mfu: Annotated[float | None, typer.Option(help="The part of peak FLOP/s that training reaches. [default: 0.4]")] = (
        None
    )
    family_fit: Annotated[
        list[str] | None,
        typer.Option("--family-fit", metavar="FAMILY=FIT", help="A fit of that family's own runs, measured alike."),
    ] = None
    also: Annotated[
        list[str] | None,
        typer.Option("--also", metavar="LAW", help="Another law of the same runs, weighted by its back-test."),
    ] = None

    def asked(self) -> dict[str, Any]:
        """The keywords of `kleiber.plan` that were given."""
        renamed = {"family": "families", "minimise": "objective", "mfu": "training_efficiency"}
        plain = {
            renamed.get(name, name): value
            for name, value in vars(self).items()
            if value is not None and name not in ("family_fit", "also", "hardware_file", "hardware")
        }
        if self.hardware is not None or self.hardware_file is not None:
            plain["hardware"] = self._device()
        return plain | ({"family_fits": self._family_fits()} if self.family_fit else {})

    def _device(self) -> Any:
        from kleiber.cost import find_hardware, read_hardware

        own = read_hardware(Path(self.hardware_file)) if self.hardware_file is not None else ()
        if self.hardware is None:
            raise InputError("which device of the file?", where="--hardware-file", remedy="name it: --hardware NAME")
        return find_hardware(self.hardware, own)

    def _family_fits(self) -> dict[str, Fit]:
        from kleiber.cost import FAMILIES
        from kleiber.errors import did_you_mean
        from kleiber.fit.store import load

        found = {}
        for family, path in assignments(self.family_fit, "--family-fit").items():
            if family not in FAMILIES:
                raise InputError(
                    "no such family", found=family, remedy=did_you_mean(family, FAMILIES), where="--family-fit"
                )
            found[family] = load(path)
        return found
