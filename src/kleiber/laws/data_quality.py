"""Data quality as a factor on tokens: D tokens of quality Q count as D Q^(gamma/beta), with Q = 1 for clean text.

quality:         L = E + A/N^alpha + B/(D^beta Q^gamma).
quality-tokens:  L = E + B/(D^beta Q^gamma), one size of model, whose A/N^alpha is then part of E.
Below gamma = beta quality costs less than it seems: at the published gamma of .4 and beta of .4, text with a tenth of its samples
spoilt is worth nine tenths of its tokens; the out-of-sample fit has gamma .34, so a little more.

What Q is must be said with every use. In the source it is 1 - the share of samples in which half of the tokens were swapped for
random ones: an injected corruption, not the verdict of a filter. A quality score of your own needs a gamma of your own: fit
the law to runs on tiers of known score.

Source: Subramanyam, Chen & Grossman 2025, "Scaling Laws Revisited: Modeling the Role of Data Quality", arXiv 2510.03313v2, eq. 2,
tables 2 and 3, read in notes that cite them. How quality and repetition trade is `filtering`.
"""

from __future__ import annotations

from kleiber.laws.law import Law
from kleiber.laws.parameter import Coefficients
from kleiber.laws.unknowns import exponent, floor, scale

PAPER = "Subramanyam, Chen & Grossman 2025, arXiv 2510.03313v2"

_DATA_TERM = (
    scale("B", "weight of the data term"),
    exponent("beta", "how fast loss falls with tokens", lower=0.01),
    exponent("gamma", "how fast it falls with quality", starts=(0.2, 0.5, 1.0)),
)


def _published(name: str, where: str, values: tuple[float, ...], tolerance: float, note: str) -> Coefficients:
    return Coefficients(
        name=name,
        values=dict(zip(("E", "B", "beta", "gamma"), values, strict=True)),
        source=f"{PAPER}, {where}, Huber fit, read in notes",
        domain={"tokens": (1e8, 1e10), "quality": (0.5, 1.0)},
        conventions="tokens of C4 seen once; quality 1 - share of samples half of whose tokens were swapped; nats per token",
        tolerance=tolerance,
        note=note
        + " One model of 8 layers and width 512, so its floor holds the size term. Injected noise, not filtered web text.",
    )


QUALITY = Law(
    "E + A/params**alpha + B/(tokens**beta*quality**gamma)",
    name="quality",
    title="Chinchilla with quality: tokens of lesser text count for less",
    parameters=(
        floor(),
        scale("A", "weight of the size term"),
        exponent("alpha", "how fast loss falls with params", lower=0.01),
        *_DATA_TERM,
    ),
    source=f"{PAPER}, eq. 2",
    validity="one measure of quality, positive, for all runs; the source fitted one size of model only, so no set is published",
)

QUALITY_TOKENS = Law(
    "E + B/(tokens**beta*quality**gamma)",
    name="quality-tokens",
    title="Tokens and their quality, at one size of model",
    parameters=(floor(), *_DATA_TERM),
    source=f"{PAPER}, eqs 2 and 4",
    validity="one size of model, one pass over the data; 100M to 10B tokens and quality .5 to 1 in the source",
    published=(
        _published(
            "subramanyam-2025",
            "table 2",
            (3.4390, 1441.51, 0.3959, 0.4007),
            3e-4,
            "63 runs. A translation task of the same paper has gamma .173: the exponent is a matter of the task.",
        ),
        _published(
            "subramanyam-2025-unseen",
            "table 3",
            (4.5400, 1427.30, 0.3905, 0.3368),
            3e-4,
            "Refitted on data not seen before: gamma moved by a sixth, which is what its digits are worth.",
        ),
    ),
)
