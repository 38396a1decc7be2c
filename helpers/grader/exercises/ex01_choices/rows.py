"""Exercise 1a: rows of comparisons, and what the rows that are too many, or missing, have in common.

Whatever an answer's algorithm, a row that should not be there compares something that must not be compared, and rows
that are missing are of one kind. Looked at where no listed mistake explains the outputs as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from helpers.grader.cases import array
from helpers.grader.judge_function import judge_rows
from helpers.grader.result import Result
from helpers.grader.run_answer import Unusable, as_torch, attempt, plain

Row = tuple[int, ...]  # (annotator, winner, loser)


@dataclass(frozen=True)
class Compared:
    """What an answer returns for one table of ratings, (A, K), and what it should."""

    ratings: np.ndarray
    mine: frozenset[Row]
    right: frozenset[Row]

    @property
    def extra(self) -> frozenset[Row]:
        return self.mine - self.right

    @property
    def missing(self) -> frozenset[Row]:
        return self.right - self.mine

    def gap(self, row: Row) -> float:
        """Rating of the winner above the loser's; NaN where one of them was not rated."""
        a, i, j = row
        return float(self.ratings[a, i] - self.ratings[a, j])

    def of_a_best(self, row: Row) -> bool:
        return bool(self.ratings[row[0], row[1]] == np.nanmax(self.ratings[row[0]]))

    def of_neighbours(self, row: Row) -> bool:
        high, low = (self.ratings[row[0], k] for k in row[1:])
        return not ((self.ratings[row[0]] < high) & (self.ratings[row[0]] > low)).any()


EXTRA: dict[str, Callable[[Compared, Row], bool]] = {
    "with_itself": lambda seen, row: row[1] == row[2],
    "unrated_as_number": lambda seen, row: np.isnan(seen.gap(row)),
    "ties": lambda seen, row: seen.gap(row) == 0,
    "both_directions": lambda seen, row: seen.gap(row) < 0,
}
KEPT: dict[
    str, Callable[[Compared, Row], bool]
] = {  # rows that are there although others are missing
    "best_only": Compared.of_a_best,
    "neighbours": Compared.of_neighbours,
    "next_column": lambda seen, row: abs(row[1] - row[2]) == 1,
    "complete_only": lambda seen, row: not np.isnan(seen.ratings[row[0]]).any(),
}


def judge(answer: Callable, case: dict[str, Any]) -> Result:
    """As ``judge_rows``; where no listed mistake explains the outputs, the rows are looked at one by one."""
    result = judge_rows(answer, case)
    listed = {m["message"] for m in case["mistakes"]}
    if result.status != "wrong" or result.diagnoses and listed >= {*result.diagnoses}:
        return result  # explained, and by nothing else besides
    try:
        found = kinds([_compared(answer, case, probe) for probe in _probes(case)])
    except Unusable:
        return result
    told = tuple(m["message"] for m in case["mistakes"] if m["key"] in found)
    return replace(result, diagnoses=told) if told else result


def kinds(seen: list[Compared]) -> set[str]:
    """Keys of the mistakes that account for all rows that are too many, and for all that are missing; or none."""
    extra = [(one, row) for one in seen for row in one.extra]
    found = {next((key for key, holds in EXTRA.items() if holds(*at)), "") for at in extra}
    missing = any(one.missing for one in seen)
    if found == {"both_directions"} and missing:
        return set()  # turned round, and more besides
    if missing:
        kept = [(one, row) for one in seen for row in one.mine & one.right]
        found.add(next((key for key, holds in KEPT.items() if all(holds(*at) for at in kept)), ""))
    return set() if "" in found else found


def _probes(case: dict[str, Any]) -> list[dict[str, Any]]:
    return [p for spec in case["properties"] if spec["values"] for p in spec["probes"]]


def _compared(answer: Callable, case: dict[str, Any], probe: dict[str, Any]) -> Compared:
    """Raises Unusable for what is no table of ids."""
    inputs = {name: array(value) for name, value in case["inputs"][probe["input"]].items()}
    outcome = attempt(answer, *as_torch(inputs).values())
    if outcome.error:
        outcome = attempt(answer, *(value.copy() for value in inputs.values()))
    if outcome.error:
        raise Unusable(outcome.error)
    ratings, right = inputs["ratings"], array(probe["expected"])
    return Compared(
        ratings, _rows(plain(outcome.value), ratings.shape), _rows(right, ratings.shape)
    )


def _rows(table: np.ndarray, shape: tuple[int, int]) -> frozenset[Row]:
    if not table.size:
        return frozenset()
    most = np.array([shape[0], shape[1], shape[1]])
    if table.ndim != 2 or table.shape[1] != 3 or not ((table >= 0) & (table < most)).all():
        raise Unusable(f"shape {table.shape}")
    return frozenset(tuple(row) for row in table.astype(int).tolist())
