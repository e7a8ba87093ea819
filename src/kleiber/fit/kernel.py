"""The same engine compiled for one law, where a C compiler is at hand: several times faster on one core, same optima.

The way the data takes: law in search coordinates -> common subexpressions -> a C function that sums value, gradient and
Hessian in one vectorised sweep over the runs -> `kernel.c` around it -> a library (`kleiber.compiled`).

The one idea: nothing is lost without it. NumPy does the same steps; the kernel only spares the intermediate arrays. It is
used for large batches alone, so that whether a small fit uses it never depends on what happens to be cached.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kleiber import compiled
from kleiber.compiled import pointer
from kleiber.laws.evaluate import SearchForm

Array = NDArray[np.float64]

SMALLEST_BATCH = 100_000  # batch x runs below which compiling, or even loading, costs more than it saves
NO_LIMIT = 1e300  # -ffast-math knows no infinity


def minimise(
    form: SearchForm,
    on_log: bool,
    times_IR: Array,
    y_R: Array,
    weights_BR: NDArray[np.uint16] | None,
    box: tuple[Array, Array],
    delta: float,
    negligible: float,
    max_steps: int,
    start_BP: Array,
) -> tuple[Array, Array, NDArray[np.int32], NDArray[np.bool_]] | None:
    """u_BP, objective, steps and convergence for every row of `start_BP`, or None where no kernel can be had."""
    library = load(form, on_log)
    if library is None:
        return None
    batch, runs = start_BP.shape[0], y_R.size
    u_BP = np.ascontiguousarray(start_BP, dtype=np.float64).copy()
    value, steps, converged = np.empty(batch), np.empty(batch, dtype=np.int32), np.empty(batch, dtype=np.int32)
    weights = np.zeros(1, dtype=np.uint16) if weights_BR is None else np.ascontiguousarray(weights_BR, dtype=np.uint16)
    target = np.log(y_R) if on_log else np.ascontiguousarray(y_R, dtype=np.float64)
    times = np.ascontiguousarray(times_IR, dtype=np.float64)
    scratch = np.empty((times.shape[0] + 2) * runs)
    lower, upper = (np.ascontiguousarray(side, dtype=np.float64) for side in box)

    library.minimise(
        ctypes.c_long(batch), ctypes.c_long(runs), pointer(times), pointer(target), pointer(weights),
        ctypes.c_int(weights_BR is not None), pointer(lower), pointer(upper), ctypes.c_double(min(delta, NO_LIMIT)),
        ctypes.c_double(negligible), ctypes.c_int(max_steps), pointer(scratch), pointer(u_BP), pointer(value),
        pointer(steps), pointer(converged),
    )  # fmt: skip
    return u_BP, value, steps, converged.astype(bool)


def load(form: SearchForm, on_log: bool) -> Any:
    """The compiled library for this law, or None without a compiler (or with KLEIBER_KERNEL=0)."""
    if not compiled.wanted():
        return None  # the text itself takes a while to derive
    library = compiled.load(source(form, on_log))
    if library is not None:
        library.minimise.restype = None
    return library


def source(form: SearchForm, on_log: bool) -> str:
    """The C text for one law: its sweep over the runs, then the method."""
    return "\n".join([*_heading(form), *_sweep(form, on_log), Path(__file__).with_name("kernel.c").read_text("utf-8")])


def _heading(form: SearchForm) -> list[str]:
    return [
        "#include <math.h>",
        f"#define P {form.parameter_count}",
        f"#define INPUTS {form.input_count}",
        "static inline double heaviside(double x, double h) { return x > 0 ? 1.0 : x < 0 ? 0.0 : h; }",
    ]


def _sweep(form: SearchForm, on_log: bool) -> list[str]:
    """The function `objective`: every sum is a scalar of its own, so that the compiler keeps all of them in registers."""
    import sympy

    count = form.parameter_count
    first, second = form.derivatives
    expressions = [form.expression, *first, *(curvature for _, _, curvature in second)]
    shared, reduced = cast(tuple[list[Any], list[Any]], sympy.cse(expressions, symbols=sympy.numbered_symbols("x")))
    curved = {(i, j): index for index, (i, j, _) in enumerate(second)}
    sums = ["value", *(f"g{i}" for i in range(count))]
    sums += [f"h{i}_{j}" for i in range(count) for j in range(i, count)]
    lines = [
        "static double objective(long runs, const double *t, const double *y, const double *w, const double *u,",
        "                        double delta, double *g, double *H) {",
        *(f"    const double u{i} = u[{i}];" for i in range(count)),
        "    double " + ", ".join(f"{name} = 0.0" for name in sums) + ";",
        f"    #pragma omp simd reduction(+:{','.join(sums)})",
        "    for (long r = 0; r < runs; r++) {",
        *(f"        const double t{i} = t[{i} * runs + r];" for i in range(form.input_count)),
        *(f"        const double {name} = {_c(piece)};" for name, piece in shared),
        f"        const double m = {_c(reduced[0])};",
        "        const double inverse = 1.0 / m;" if on_log else "        const double inverse = 1.0;",
        "        const double z = log(m) - y[r];" if on_log else "        const double z = m - y[r];",
        "        const double clipped = z > delta ? delta : z < -delta ? -delta : z;",
        "        const double psi = clipped * w[r], bent = psi * inverse;",
        "        const double inside = z == clipped ? w[r] : 0.0;",
        "        const double outer = inside - psi;" if on_log else "        const double outer = inside;",
        "        value += psi * (z - 0.5 * clipped);",
        *(f"        const double d{i} = ({_c(reduced[1 + i])}) * inverse;" for i in range(count)),
        *(f"        g{i} += psi * d{i};" for i in range(count)),
    ]
    for i in range(count):
        for j in range(i, count):
            bend = f" + bent * ({_c(reduced[1 + count + curved[i, j]])})" if (i, j) in curved else ""
            lines.append(f"        h{i}_{j} += outer * d{i} * d{j}{bend};")
    lines.append("    }")
    lines += [f"    g[{i}] = g{i};" for i in range(count)]
    lines += [f"    H[{i * count + j}] = H[{j * count + i}] = h{i}_{j};" for i in range(count) for j in range(i, count)]
    return [*lines, "    return value;", "}"]


def _c(expression: Any) -> str:
    import sympy

    return sympy.ccode(expression, user_functions={"Heaviside": "heaviside"})
