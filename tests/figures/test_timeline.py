"""The timeline of a pipeline: every chunk drawn where it runs, the same bytes twice."""

from __future__ import annotations

import json
from pathlib import Path

from kleiber import figures
from kleiber.experts.pipeline import find_pipeline, timeline
from kleiber.experts.pipeline.timeline import even
from kleiber.figures import files

RUN = timeline(find_pipeline("dualpipe").orders(4, 8), even(4, 1e-3, 2e-3, 1e-3))


def test_every_chunk_is_drawn_where_it_runs() -> None:
    written = files.specification(figures.pipeline_timeline(RUN, "DualPipe"))
    boxes = next(layer["data"]["values"] for layer in written["layer"] if layer["data"]["name"] == "chunks")
    chunks = [
        (chunk, float(start), float(end), place)
        for place, (slots, starts, ends) in enumerate(zip(RUN.orders, RUN.starts, RUN.ends, strict=True))
        for slot, start, end in zip(slots, starts, ends, strict=True)
        for chunk in slot
    ]
    assert len(boxes) == len(chunks)
    for box, (chunk, start, end, place) in zip(boxes, chunks, strict=True):
        assert (box["stage"], box["batch"]) == (chunk.stage, chunk.batch)
        assert abs(box["start"] - 1e3 * start) < 1e-6
        assert abs(box["end"] - 1e3 * end) < 1e-6
        assert place - 0.5 < box["low"] < box["high"] < place + 0.5


def test_it_is_valid_and_the_same_bytes_twice(tmp_path: Path) -> None:
    one, two = (files.text(figures.pipeline_timeline(RUN, "DualPipe")) for _ in range(2))
    assert one == two
    json.loads(one)
    target = figures.save(figures.pipeline_timeline(RUN, "DualPipe"), tmp_path / "chart.png")
    assert target.read_bytes().startswith(b"\x89PNG")


def test_a_long_step_is_cut() -> None:
    run = timeline(find_pipeline("1f1b").orders(4, 400), even(4, 1e-3, 2e-3))
    written = files.text(figures.pipeline_timeline(run, "1F1B"))
    assert "Drawn: the first" in written
    assert len(written) < 200_000
