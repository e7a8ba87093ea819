"""Whether a model memorises or generalises: canaries, capacity, extraction, contamination, held-out structure, one verdict."""

from __future__ import annotations

from kleiber.diagnose.diagnostic import Diagnostic
from kleiber.diagnose.memorisation.capacity import DIAGNOSTIC as CAPACITY
from kleiber.diagnose.memorisation.capacity import budget, capacity, stored_bits
from kleiber.diagnose.memorisation.carry_over import DIAGNOSTICS as CARRY_OVER
from kleiber.diagnose.memorisation.carry_over import CarryOver, carry_over
from kleiber.diagnose.memorisation.contamination import DIAGNOSTIC as CONTAMINATION
from kleiber.diagnose.memorisation.contamination import Overlap, overlap
from kleiber.diagnose.memorisation.counterfactual import DIAGNOSTIC as COUNTERFACTUAL
from kleiber.diagnose.memorisation.counterfactual import Counterfactual, counterfactual
from kleiber.diagnose.memorisation.evidence import Evidence
from kleiber.diagnose.memorisation.exposure import DIAGNOSTIC as EXPOSURE
from kleiber.diagnose.memorisation.exposure import exposure, exposures
from kleiber.diagnose.memorisation.extraction import DIAGNOSTIC as EXTRACTION
from kleiber.diagnose.memorisation.extraction import extraction, queries_needed
from kleiber.diagnose.memorisation.grokking import DIAGNOSTIC as GROKKING
from kleiber.diagnose.memorisation.grokking import grokking
from kleiber.diagnose.memorisation.membership import DIAGNOSTIC as MEMBERSHIP
from kleiber.diagnose.memorisation.membership import auroc, membership, min_k, min_k_plus, true_positives
from kleiber.diagnose.memorisation.order import DIAGNOSTIC as ORDER
from kleiber.diagnose.memorisation.order import order_contamination
from kleiber.diagnose.memorisation.probing import DIAGNOSTICS as PROBING
from kleiber.diagnose.memorisation.probing import probe, probe_gap
from kleiber.diagnose.memorisation.structure import Probe, addition, composition, recall
from kleiber.diagnose.memorisation.verdict import DIAGNOSTIC as VERDICT
from kleiber.diagnose.memorisation.verdict import Verdict, verdict

DIAGNOSTICS: tuple[Diagnostic, ...] = (
    EXPOSURE,
    EXTRACTION,
    MEMBERSHIP,
    CAPACITY,
    *CARRY_OVER,
    COUNTERFACTUAL,
    CONTAMINATION,
    ORDER,
    *PROBING,
    GROKKING,
    VERDICT,
)

__all__ = [
    "DIAGNOSTICS",
    "CarryOver",
    "Counterfactual",
    "Evidence",
    "Overlap",
    "Probe",
    "Verdict",
    "addition",
    "auroc",
    "budget",
    "capacity",
    "carry_over",
    "composition",
    "counterfactual",
    "exposure",
    "exposures",
    "extraction",
    "grokking",
    "membership",
    "min_k",
    "min_k_plus",
    "order_contamination",
    "overlap",
    "probe",
    "probe_gap",
    "queries_needed",
    "recall",
    "stored_bits",
    "true_positives",
    "verdict",
]
