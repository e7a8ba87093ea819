"""One instrument on people and on nets: words, sentences, a small model's text, its losses, its activity and its weights.

Trains a small model on the State of the Union addresses for about a minute, lets it write, and puts every series through the same
diagnostics. Prints the table of docs/diagnose-criticality.md. Run: python benchmarks/scale_invariance.py [--steps 1500]
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kleiber.diagnose import criticality
from kleiber.finding import Finding

Array = NDArray[np.float64]
PARAMS, CONTEXT = 30_000, 128
WRITERS, WRITTEN = 64, 200  # texts written side by side, bytes of each
SENTENCES, WORDS, HEARD = 20_000, 20_000, 96  # windows of text that the trained model reads
ACTIVE = 2.0  # standard deviations above its mean at which a unit counts as active


def line(what: str, finding: Finding) -> None:
    """A row of the table."""
    print(f"| {what} | {finding.name.replace('_', ' ')} | {finding.verdict} | {finding.evidence} |", flush=True)


def series(what: str, values: Array) -> None:
    """The rows of a series."""
    found = criticality.dfa(values, surrogates=39)
    bend = criticality.crossover(values, surrogates=39)
    line(what, found if isinstance(found, Finding) else found.finding)
    line(what, bend if isinstance(bend, Finding) else bend.finding)


def tail(what: str, values: Array, *, draws: int = 0) -> None:
    """The row of a tail."""
    found = criticality.power_law(values, draws=draws)
    line(what, found if isinstance(found, Finding) else found.finding)


def text_rows(what: str, text: str) -> None:
    """The rows of a text: its words' frequencies, its words beside letters at random, and the lengths of words in a row."""
    tokens = re.findall(r"[a-z']+", text.lower())[:WORDS]
    tail(f"{what}: word frequencies", np.unique(tokens, return_counts=True)[1].astype(float))
    found = criticality.words(tokens)
    line(f"{what}: words", found if isinstance(found, Finding) else found.finding)
    series(f"{what}: word lengths in a row", np.array([len(token) for token in tokens], dtype=float))


def people(text: str) -> None:
    """Frequencies of words as the powerlaw package ships them, and the addresses."""
    spec = importlib.util.find_spec("powerlaw")
    if spec is not None and spec.origin is not None:
        counted = np.genfromtxt(Path(spec.origin).parent / "reference_data" / "words.txt")
        tail("people: word frequencies of a novel", counted, draws=50)
    text_rows("people, addresses", text)
    sentences = [len(piece.split()) for piece in re.split(r"[.!?]\s+", text) if piece.strip()]
    series("people, addresses: sentence lengths in a row", np.array(sentences[:SENTENCES], dtype=float))


def trained(corpus: Any, steps: int) -> tuple[Any, list[float]]:
    """A trainer after `steps` steps, and the loss of each."""
    from kleiber.lab.dial import Dial
    from kleiber.lab.recipe import Recipe
    from kleiber.lab.train import Trainer

    losses: list[float] = []

    def listen(trainer: Any, lr: float, loss: Any) -> None:
        losses.append(float(loss))

    shape = Dial().at_size(PARAMS, context=CONTEXT)
    trainer = Trainer(shape, Recipe(context=CONTEXT), corpus, seed=0, listeners=[listen])
    trainer.train_trunk(steps)
    return trainer, losses


def written(trainer: Any) -> str:
    """What the model writes, a byte drawn after the other."""
    import torch

    torch.manual_seed(0)
    text = torch.from_numpy(trainer.windows.batch(0)[:1, :-1].astype(np.int64)).repeat(WRITERS, 1)
    trainer.model.eval()
    with torch.no_grad():
        for _ in range(WRITTEN):
            logits = trainer.model(text[:, -CONTEXT:])[:, -1]
            text = torch.cat([text, torch.multinomial(torch.softmax(logits, dim=-1), 1)], dim=1)
    rows = text[:, CONTEXT:].numpy().astype(np.uint8)
    return " ".join(bytes(row).decode("utf-8", errors="ignore") for row in rows)


def activity(trainer: Any) -> Iterator[tuple[int, Array]]:
    """For every block how many hidden units are active at each byte of text."""
    import torch

    heard: dict[int, list[Array]] = {}

    def hook(place: int) -> Callable[[Any, Any], None]:
        def keep(module: Any, given: Any) -> None:
            heard.setdefault(place, []).append(given[0].reshape(-1, given[0].shape[-1]).numpy())

        return keep

    hooks = [
        part.register_forward_pre_hook(hook(place))
        for place, part in enumerate(part for name, part in trainer.model.named_modules() if name.endswith("down"))
    ]
    with torch.no_grad():
        for step in range(HEARD // trainer.recipe.batch_windows):
            trainer.model(torch.from_numpy(trainer.windows.batch(step)[:, :-1].astype(np.int64)))
    for each in hooks:
        each.remove()
    for place, pieces in heard.items():
        units = np.concatenate(pieces)
        yield place, ((units - units.mean(axis=0)) / (units.std(axis=0) + 1e-12) > ACTIVE).sum(axis=1).astype(float)


def net(trainer: Any, losses: list[float]) -> None:
    """The rows of a trained model: its text, its losses, its activity, its weights."""
    text_rows("model's text", written(trainer))
    late = np.array(losses[len(losses) // 4 :])
    series("model: loss over steps", late)
    tail("model: size of changes of the loss", np.abs(np.diff(late))[np.diff(late) != 0])
    for place, counts in activity(trainer):
        found = criticality.exponents(criticality.avalanches(counts))
        line(f"model: active units of block {place + 1}", found if isinstance(found, Finding) else found.finding)
        ratio = criticality.branching_ratio(counts)
        line(f"model: active units of block {place + 1}", ratio if isinstance(ratio, Finding) else ratio.finding)
    for name, weights in trainer.model.named_parameters():
        if weights.ndim == 2 and min(weights.shape) >= 20:
            spectrum = criticality.weight_spectrum(weights.detach().numpy())
            for finding in (spectrum,) if isinstance(spectrum, Finding) else spectrum.findings:
                line(f"model: {name}", finding)


def main() -> None:
    """Print the table."""
    from kleiber.lab.corpus import read_corpus
    from kleiber.lab.thread import one_quick_thread

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1500)
    corpus = read_corpus("sotu")
    print("| what | question | verdict | sentence |\n|---|---|---|---|")
    people(bytes(corpus.train[:4_000_000]).decode("utf-8", errors="ignore").replace("\x00", "\n"))
    with one_quick_thread():
        net(*trained(corpus, parser.parse_args().steps))


if __name__ == "__main__":
    main()
