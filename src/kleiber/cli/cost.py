"""`kleiber cost MODEL`: parameters, FLOPs, cache, memory and latency of a reference model or of a config.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from kleiber.cli import screen
from kleiber.cli.command import Command
from kleiber.cli.options import Output, amount, assignments
from kleiber.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from kleiber.cost import Hardware, Layout, Serving, Shape
    from kleiber.cost.summary import OnDevice, Summary, Trained

SCHEMA = "kleiber/cost/1"
Model = Annotated[
    str | None, typer.Argument(metavar="[MODEL]", help="A reference model's name, or a config.json or its folder.")
]
Context = Annotated[
    str | None, typer.Option(metavar="TOKENS", help="Length of the sequence: 8192, 128k. [default: 4096]")
]
Count = Annotated[
    str, typer.Option("--count", metavar="NAME", help="How to count: kleiber, chinchilla, chinchilla-table, palm.")
]
Device = Annotated[
    str | None, typer.Option("--hardware", metavar="NAME", help="Bounds of the latency on it: h100, mi300x, ...")
]
Devices = Annotated[str | None, typer.Option(metavar="N", help="How many. [default: as few as hold the model]")]
Rows = Annotated[str | None, typer.Option("--hardware-file", metavar="FILE.toml", help="Devices of your own.")]
BatchTokens = Annotated[
    str | None, typer.Option(metavar="TOKENS", help="Time a training step of so many: by --layout, or by the best one.")
]
Batch = Annotated[str, typer.Option(metavar="N", help="Sequences served at once.")]
Precision = Annotated[str, typer.Option(metavar="NAME", help="Of weights and arithmetic.")]
CachePrecision = Annotated[str, typer.Option(metavar="NAME", help="Of the cache.")]
Recompute = Annotated[str, typer.Option(metavar="NAME", help="In training: none, selective or full.")]
Spread = Annotated[
    list[str] | None,
    typer.Option("--layout", metavar="NAME=N,...", help="Training memory per device: data=64,tensor=8,pipeline=4,zero=1."),
]  # fmt: skip
LAYOUT_FIELDS = ("data", "tensor", "pipeline", "context", "expert", "expert_tensor", "zero", "micro_batch", "virtual")


def cost(
    output: Output,
    model: Model = None,
    context: Context = None,
    count: Count = "kleiber",
    hardware: Device = None,
    devices: Devices = None,
    hardware_file: Rows = None,
    batch: Batch = "1",
    precision: Precision = "bf16",
    cache_precision: CachePrecision = "bf16",
    recompute: Recompute = "none",
    layout: Spread = None,
    batch_tokens: BatchTokens = None,
) -> None:
    """Count what a model costs: parameters, FLOPs per token, cache, weights; with --hardware what serving it takes at least,
    and with --devices and --batch-tokens how long a training step takes.

    Without a MODEL the reference models and devices are listed.
    """
    from kleiber.cost import Serving, find_counting
    from kleiber.cost import model as shape_of
    from kleiber.cost.summary import summary, usual_context

    more = _own_rows(hardware_file)
    if model is None:
        _list(output, more)
        return
    shape = shape_of(model)
    length = _whole(context, "--context") if context is not None else usual_context(shape)
    device = _device(hardware, more)
    served = {"batch": _whole(batch, "--batch"), "precision": precision, "cache_precision": cache_precision}
    spread = _layout(layout, recompute)
    tokens = _batch_tokens(batch_tokens, device, devices, spread)
    if spread is not None and tokens is not None and devices is None:
        devices = str(spread.devices)
    serving = Serving(**served, devices=_devices(devices, shape, device, length, Serving(**served)))
    found = summary(
        shape,
        context=length,
        counting=find_counting(count),
        recompute=recompute,
        serving=serving,
        device=device,
        layout=spread,
        batch_tokens=tokens,
    )
    if output.as_json:
        from kleiber.cli.provenance import versions

        screen.emit_json({"schema": SCHEMA, **found.to_json(), "versions": versions()})
    else:
        _show(found)


def _own_rows(path: str | None) -> tuple[Hardware, ...]:
    from kleiber.cost import read_hardware

    return read_hardware(path) if path is not None else ()


def _device(name: str | None, more: tuple[Hardware, ...]) -> Hardware | None:
    from kleiber.cost import find_hardware

    if name is not None:
        return find_hardware(name, more)
    return more[0] if len(more) == 1 else None


def _devices(asked: str | None, shape: Shape, device: Hardware | None, context: int, serving: Serving) -> int:
    from kleiber.cost import devices_needed

    if asked is not None:
        return _whole(asked, "--devices")
    return 1 if device is None else devices_needed(shape, device, context, serving)


def _batch_tokens(
    asked: str | None, device: Hardware | None, devices: str | None, layout: Layout | None
) -> float | None:
    """The tokens of a step, once all that its time depends on is there."""
    if asked is None:
        return None
    if device is None:
        raise InputError("a training step needs a device", where="--batch-tokens", remedy="add --hardware h100")
    if devices is None and layout is None:
        raise InputError(
            "a training step needs devices", where="--batch-tokens", remedy="add --devices 64, or --layout"
        )
    if devices is not None and layout is not None and _whole(devices, "--devices") != layout.devices:
        raise InputError(
            "the layout is for another number", found=str(layout.devices), expected=devices, where="--devices"
        )
    return amount(asked, "--batch-tokens")


def _whole(text: str, option: str) -> int:
    value = amount(text, option)
    if value != int(value):
        raise InputError("must be a whole number", found=text, where=option)
    return int(value)


def _layout(texts: list[str] | None, recompute: str) -> Layout | None:
    from kleiber.cost import Layout

    if not texts:
        return None
    given = assignments(texts, "--layout")
    for name in given:
        if name not in LAYOUT_FIELDS:
            raise InputError(f"no such degree {name!r}", remedy=did_you_mean(name, LAYOUT_FIELDS), where="--layout")
    degrees: dict[str, Any] = {
        name: 0 if (name, text) == ("zero", "0") else _whole(text, "--layout") for name, text in given.items()
    }
    schedule = "interleaved" if degrees.get("virtual", 1) > 1 else "1f1b"
    return Layout(**degrees, recompute=recompute, schedule=schedule)


def _list(output: Output, more: tuple[Hardware, ...]) -> None:
    from kleiber.cost import hardware, models, params
    from kleiber.quantity import show

    rows = (*more, *hardware())
    if output.as_json:
        from kleiber.cli.provenance import versions

        names = [{"name": entry.name, "source": entry.source, "note": entry.note} for entry in models()]
        devices = [row.to_json() for row in rows]
        screen.emit_json({"schema": SCHEMA, "models": names, "hardware": devices, "versions": versions()})
        return
    for entry in models():
        shape = entry.shape
        found = params(shape)
        active = f", {show(found.active)} active" if found.active != found.total else ""
        screen.hang((entry.name, "bold"), f"{shape.family}, {show(found.total)} params{active}", at=18)
    for row in rows:
        peaks = ", ".join(f"{name} {show(peak / 1e12, 4)}" for name, peak in row.flops.items())
        doubt = "" if row.verified else "; not read in a source, see --json"
        facts = f"{row.title}: {size(row.memory)} at {size(row.bandwidth)}/s; TFLOP/s {peaks}{doubt}"
        screen.hang((row.name, "bold"), facts, at=18)


def size(count: float) -> str:
    """Bytes in decimal units.

    >>> size(131072), size(1.606e10), size(0)
    ('131 kB', '16.1 GB', '0 B')
    """
    for unit, name in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.3g} B"


def span(seconds: float) -> str:
    """A time in the unit that suits it.

    >>> span(0.00479), span(12.0), span(3e-6)
    ('4.79 ms', '12 s', '3 µs')
    """
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 1e-6:.3g} µs"


def flop(count: float) -> str:
    """Floating-point operations in the unit that suits them.

    >>> flop(5.147e10), flop(1.06e12)
    ('51.5 GFLOP', '1.06 TFLOP')
    """
    for unit, name in ((1e15, "P"), (1e12, "T"), (1e9, "G")):
        if count >= unit:
            return f"{count / unit:.3g} {name}FLOP"
    return f"{count / 1e6:.3g} MFLOP"


def _show(found: Summary) -> None:
    from kleiber.quantity import show

    shape, counted = found.shape, found.params
    screen.say((shape.name, "bold"), f"   {shape.family}, {shape.depth} blocks, width {shape.width}")
    active = "" if counted.active == counted.total else f", {counted.active:,} active"
    _line("params", f"{counted.total:,}{active}; without embedding {counted.non_embedding:,}")
    _line("", ", ".join(f"{name.replace('_', '-')} {show(count)}" for name, count in counted.groups.items()))
    work, context = found.flops, f"{found.context:,} tokens"
    again = "" if found.recompute == "none" else f", {found.recompute} recomputation"
    _line("train", f"{flop(work.train_per_token)} per token at {context}{again} (6 x active params: {flop(work.rule)})")
    _line("serve", f"reading {flop(work.prefill_per_token)} per token, writing {flop(work.decode_per_token)}")
    state = f", {size(found.cache.fixed)} of it a state" if found.cache.fixed else ""
    kept = f"{size(found.cache.per_token)} per token, {size(found.cache.per_sequence)} at {context}{state}"
    _line("cache", f"{kept} ({found.cache_precision})")
    _line("weights", f"{size(found.weight_bytes)} ({found.precision})")
    if found.training is not None:
        used = found.training
        parts = {"weights": used.weights, "gradients": used.gradients, "optimiser": used.optimiser}
        words = ", ".join(
            f"{name} {size(count)}" for name, count in (parts | {"activations": used.activations}).items()
        )
        _line("memory", f"{size(used.total)} on each device of the fullest stage: {words}")
    if found.trained is not None:
        _show_trained(found.trained, shape.family)
    if found.served is not None:
        _show_served(found.served, found.context)
    _line("counted", _convention(found))


def _show_trained(trained: Trained, family: str) -> None:
    step, layout, row = trained.step, trained.layout, trained.hardware
    degrees = {name: getattr(layout, name) for name in LAYOUT_FIELDS}
    words = ",".join(f"{name}={value}" for name, value in degrees.items() if value not in (None, 1) or name == "data")
    again = "" if layout.recompute == "none" else f", {layout.recompute} recomputation"
    how = "the fastest layout that fits" if trained.searched else "layout"
    _line("step", f"{span(step.seconds)} for {step.tokens:,.0f} tokens on {layout.devices:,} x {row.title}")
    _line("", f"{how}: {words}{again}")
    rate = f"{step.tokens_per_second_per_device:,.4g} tokens per second and device"
    _line("", f"{100 * step.mfu:.1f} % of peak ({trained.precision}), {rate}")
    _line("", "; ".join(f"{name} {100 * share:.1f} %" for name, share in step.shares().items() if share >= 0.0005))
    if trained.usd_per_billion_tokens is not None:
        price = f"{row.price:g} USD an hour ({row.price_source})"
        _line("", f"a billion tokens: {trained.usd_per_billion_tokens:,.4g} USD, at {price}")
    if trained.mean_error is None:
        doubt = "no published run of this family was found to hold it against"
    elif family == "experts":
        doubt = f"a lower bound: published runs of sparse models took longer, off by {100 * trained.mean_error:.0f} % on average"
    else:
        doubt = (
            f"against published runs of dense models such times are off by {100 * trained.mean_error:.0f} % on average"
        )
    _line("", doubt)


def _show_served(served: OnDevice, context: int) -> None:
    row, serving = served.hardware, served.serving
    doubt = "" if row.verified else " (not every number of this row was read in a source)"
    _line("on", f"{serving.devices} x {row.title}{doubt}")
    if serving.devices < served.needed:
        _line("", f"does not fit: weights and caches need {served.needed} devices")
    prefill, decode = served.prefill, served.decode
    prompts = f"{serving.batch} x {context:,}" if serving.batch > 1 else f"{context:,}"
    _line("", f"reading {prompts} tokens takes at least {span(prefill.seconds)} ({prefill.limit}-bound)")
    rate = serving.batch / decode.seconds
    batch = f" for each of {serving.batch}" if serving.batch > 1 else ""
    _line(
        "", f"writing one token{batch} at least {span(decode.seconds)} ({decode.limit}-bound): {rate:,.4g} per second"
    )
    if served.usd_per_million_tokens is not None:
        price = f"{row.price:g} USD an hour ({row.price_source})"
        _line("", f"a million of them at least {served.usd_per_million_tokens:.3g} USD, at {price}")
    _line("", "at full peak and bandwidth, with free communication")


def _convention(found: Summary) -> str:
    counting = found.counting
    tables = {"head": "head counted, embedding looked up", "both": "embedding and head counted", "none": "no tables"}
    embedding = "with" if counting.input_embedding else "without"
    return (
        f"{counting.name}: {counting.keys} keys, {tables[counting.tables]}, backward = 2 x forward; active {embedding} the "
        "input embedding"
    )


def _line(label: str, text: str) -> None:
    screen.hang((f"  {label}", "dim"), text, at=12)


COMMAND = Command(
    name="cost", title="What a model costs: params, FLOPs, cache, memory, latency.", run=cost, schema=SCHEMA
)
