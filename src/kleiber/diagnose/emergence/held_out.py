"""The line and the bend on models they have not seen.

The way the data takes: the smaller models -> the straight line on log(-log), and the line with its best bend among them -> what
either expects of the larger models -> mean log-likelihood per question there, one against the other.

The one idea: a test finds a break in the models at hand; whether it helps to foresee the next model is another question, asked
by hiding the largest.
"""

from __future__ import annotations

import numpy as np

from kleiber.diagnose.emergence.binomial import deviance, predict, regress
from kleiber.diagnose.emergence.jump import FEWEST_INNER, WIDTH, centred
from kleiber.diagnose.emergence.scores import Array, Scores
from kleiber.diagnose.quantiles import student
from kleiber.diagnose.series import cannot_tell
from kleiber.finding import Finding
from kleiber.quantity import show

NAME = "hidden models"
SHARES = (0.5, 0.6, 0.7, 0.8)
FEWEST = 12


def hidden_models(of: Scores, *, level: float = 0.95) -> Finding:
    """`value` is the deviance per hidden model that the bend saves against the line; its interval is Student's over hidden
    models.

    Fewer than twelve models cannot tell.
    """

    if of.x_M.size < FEWEST or of.inner_M.sum() < FEWEST_INNER + 3:
        return cannot_tell(NAME, f"{of.x_M.size} models are too few to hide some and fit a bend to the rest.")
    errors = [_errors(of, round(share * of.x_M.size)) for share in SHARES]
    # A large model is hidden at several cuts: its savings are one piece of evidence, not four.
    saved_CM = np.full((len(SHARES), of.x_M.size), np.nan)
    for row, (line_H, bend_H, _, _) in zip(saved_CM, errors, strict=True):
        row[-line_H.size :] = line_H - bend_H
    saved_H = np.nanmean(saved_CM[:, np.isfinite(saved_CM).any(axis=0)], axis=0)
    half = float(student((1 - level) / 2, saved_H.size - 1) * saved_H.std(ddof=1) / np.sqrt(saved_H.size))
    low, high = float(saved_H.mean()) - half, float(saved_H.mean()) + half
    verdict = "found" if low > 0 else "ok" if high < 0 else "cannot tell"
    words = {
        "found": "A bend foresees hidden models better",
        "ok": "The straight line foresees hidden models better",
        "cannot tell": "Neither foresees hidden models clearly better",
    }[verdict]
    return Finding(
        name=NAME,
        verdict=verdict,  # type: ignore[arg-type] - one of the words of Verdict
        evidence=f"{words}: typical error of accuracy {show(float(np.mean([pair[2] for pair in errors])), 2)} by the line, "
        f"{show(float(np.mean([pair[3] for pair in errors])), 2)} with a bend ({len(SHARES)} cuts).",
        value=float(saved_H.mean()),
        interval=(low, high),
        reference="docs/diagnose-emergence.md",
    )


def _errors(of: Scores, kept: int) -> tuple[Array, Array, float, float]:
    """Deviance of each hidden model under line and bend, and the typical error of either in accuracy."""
    seen, unseen = of.keep(np.arange(kept)), of.keep(np.arange(kept, of.x_M.size))
    line_MK = np.stack([np.ones(of.x_M.size), centred(of.x_M)], axis=1)
    width = WIDTH * float(np.ptp(np.log(seen.x_M)))
    fits = [(line_MK, regress(seen, line_MK[:kept]))]
    for place in np.quantile(np.log(seen.x_M), (0.2, 0.35, 0.5, 0.65, 0.8)):
        bend_M = width * np.logaddexp(0.0, (np.log(of.x_M) - place) / width)
        design_MK = np.column_stack([line_MK, bend_M])
        fits.append((design_MK, regress(seen, design_MK[:kept])))
    best = min(fits[1:], key=lambda pair: pair[1].deviance)
    parts: list[Array] = []
    sizes: list[float] = []
    for design_MK, found in (fits[0], best):
        mean_H = predict(unseen, design_MK[kept:], found.b_K)
        each = [deviance(unseen.keep([k]), mean_H[[k]]) for k in range(mean_H.size)]
        parts.append(np.array(each))
        sizes.append(float(np.sqrt(((mean_H - unseen.accuracy_M) ** 2).mean())))
    return parts[0], parts[1], sizes[0], sizes[1]
