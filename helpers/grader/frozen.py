"""Recorded inputs, expected values and outputs of misconceptions: plain data in ``cases/``, written by solutions/."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "cases"


@functools.cache
def case(part: str) -> dict[str, Any]:
    """The recorded data of one part."""
    return json.loads((FOLDER / f"{part}.json").read_text(encoding="utf-8"))


def array(stored: dict[str, Any] | float | int) -> Any:
    """{'dtype', 'data'} → array; numbers as they are. Entries may be the strings 'nan', 'inf', '-inf'."""
    if not isinstance(stored, dict):
        return stored
    return np.array(stored["data"], dtype=object).astype(stored["dtype"])


def unpack_run(stored: dict[str, Any]) -> dict[str, np.ndarray]:
    """A run of 4d as the learner gets it, from its tables of log-probabilities by response; fresh arrays."""
    policy, ref = np.array(stored["policy_logps"]), np.array(stored["ref_logps"])
    chosen, rejected = np.array(stored["chosen"]), np.array(stored["rejected"])
    return {
        "chosen": chosen,
        "rejected": rejected,
        "policy_chosen_logps": policy[chosen],
        "policy_rejected_logps": policy[rejected],
        "ref_chosen_logps": ref[chosen],
        "ref_rejected_logps": ref[rejected],
        "ref_samples": np.array(stored["ref_samples"]),
        "policy_samples": np.array(stored["policy_samples"]),
    }


def practice_runs() -> list[tuple[dict[str, np.ndarray], str]]:
    """Six runs to try a metric of 4d on, each with what became of it: 'healthy' or 'regressed'."""
    return [(unpack_run(stored), stored["outcome"]) for stored in case("4d")["practice"]]
