"""Loss against context length: a power law with a floor, L(c) = E + (k/c)^beta.

Every doubling of the context leaves 2^-beta of what was above the floor. The law is for one model on one kind of text, the loss
averaged over a window of c tokens; E is what an endless context would leave, and moves with the model and the text, while
beta says how well the model uses what it is given (larger models have a larger one).

No set is published here. The source prints its values in a figure that could not be read; only the form was, in two
transcriptions that agree. Fit your own: one model, evaluated at a dozen context lengths, costs no training.

Source: Xiong et al. 2023, "Effective Long-Context Scaling of Foundation Models", arXiv 2309.16039, section on context length.
"""

from __future__ import annotations

from kleiber.laws.law import Law
from kleiber.laws.unknowns import exponent, floor, scale

CONTEXT = Law(
    "E + (k/context)**beta",
    name="context",
    title="Context length: loss falls as a power of it, to a floor",
    parameters=(
        floor(),
        scale("k", "context at which 1 nat is left above the floor", starts=(1.0, 30.0), lower=1e-9, upper=1e9),
        exponent("beta", "how fast loss falls with context", starts=(0.2, 0.5), lower=0.01),
    ),
    source="Xiong et al. 2023, arXiv 2309.16039",
    validity="one model within the context it was trained for, on text that is at least as long",
)
