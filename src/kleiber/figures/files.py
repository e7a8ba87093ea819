"""A chart on disk: `.json` the specification, `.html` a page that needs no network, `.svg`, `.png` and `.pdf` pictures.

One idea: the picture is rendered from the specification in this process; no browser, no network.
"""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kleiber.errors import InputError

if TYPE_CHECKING:
    import altair as alt

FORMATS = (".html", ".json", ".pdf", ".png", ".svg")
PIXELS = 2.0
NUMBERED = re.compile(r"""(?<=id=")(?:clip|gradient_?)\d+(?=")|(?<=url\(#)(?:clip|gradient_?)\d+(?=\))""")


def save(chart: alt.LayerChart | alt.ConcatChart, path: str | Path) -> Path:
    """Write `chart` to `path` in the format its ending names, whole or not at all.

    Raises `InputError` for another ending, or where the file cannot be written.
    """
    target = Path(path)
    write = {".json": text, ".html": page, ".svg": svg, ".png": png, ".pdf": pdf}.get(target.suffix.lower())
    if write is None:
        raise InputError("not a format for charts", found=target.suffix or target.name, expected=", ".join(FORMATS))
    content = write(chart)
    _write_whole(target, content.encode("utf-8") if isinstance(content, str) else content)
    return target


def specification(chart: alt.LayerChart | alt.ConcatChart) -> dict[str, Any]:
    """The chart as a Vega-Lite specification; the same results give the same specification."""
    found = chart.to_dict(validate=False)
    found.pop("$schema", None)
    return found


def text(chart: alt.LayerChart | alt.ConcatChart) -> str:
    """The specification as JSON, with its schema named."""
    return json.dumps(chart.to_dict(), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def svg(chart: alt.LayerChart | alt.ConcatChart) -> str:
    """The chart as SVG."""
    return picture(specification(chart))


def picture(written: dict[str, Any]) -> str:
    """A specification as SVG, the same bytes however many were drawn before in this process."""
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(written)
    names = dict.fromkeys(NUMBERED.findall(drawn))  # the renderer counts its clip paths on from picture to picture
    order = {name: f"{name.rstrip('0123456789')}{index}" for index, name in enumerate(names)}
    return NUMBERED.sub(lambda found: order[found.group(0)], drawn)


def png(chart: alt.LayerChart | alt.ConcatChart) -> bytes:
    """The chart as PNG, two pixels to the point."""
    import vl_convert

    return vl_convert.vegalite_to_png(specification(chart), scale=PIXELS)


def pdf(chart: alt.LayerChart | alt.ConcatChart) -> bytes:
    """The chart as PDF."""
    import vl_convert

    return vl_convert.vegalite_to_pdf(specification(chart))


def page(chart: alt.LayerChart | alt.ConcatChart) -> str:
    """The chart as one HTML page that fetches nothing."""
    inline = script_safe(specification(chart))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>Kleiber chart</title>\n'
        f'<script>{library()}</script></head>\n<body><div id="chart"></div>\n'
        f'<script>vegaEmbed("#chart", {inline}, {{mode: "vega-lite", renderer: "svg", actions: false}});</script>\n'
        "</body>\n</html>\n"
    )


def script_safe(value: Any) -> str:
    """JSON that can stand inside a `<script>` element: nothing in it can close the element or open a comment.

    >>> script_safe({"name": "</script><!--"})
    '{"name": "\\\\u003c/script\\\\u003e\\\\u003c!--"}'
    """
    dumped = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    for mark in "<>&\u2028\u2029":
        dumped = dumped.replace(mark, f"\\u{ord(mark):04x}")
    return dumped


@lru_cache(maxsize=1)
def library() -> str:
    """The JavaScript of Vega, Vega-Lite and Vega-Embed as one script, from the installed package."""
    import vl_convert

    bundle: Any = vl_convert.javascript_bundle  # its stub wants a snippet that it does not need
    return bundle().replace("</script", "<\\/script")


def _write_whole(target: Path, content: bytes) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError("cannot write the file", where=str(target), found=error.strerror) from error
