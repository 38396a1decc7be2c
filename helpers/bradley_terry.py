"""Bradley-Terry strengths from a table of wins: maximum likelihood, when it exists, and how sure it is.

P(i beats j) = σ(s_i − s_j). Only differences matter, so strengths are given with mean 0. A table of
wins, (..., n, n), has at [i, j] how often i beat j, booleans and whole numbers allowed; leading
axes hold tables that are fitted together.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from helpers.policies import check_floating, check_real


class DivergesError(ValueError):
    """There is no maximum: some items never lost to the rest, so the likelihood keeps rising as they move away."""


class NotUniqueError(ValueError):
    """Items fall into groups that were never compared: a shift of one group changes nothing in the likelihood."""


@dataclass(frozen=True)
class Fit:
    """strengths (..., n) with mean 0, their covariance (..., n, n), and the log-likelihood (...) in nats.

    The covariance is the inverse of the observed information: right for many *independent* comparisons.
    """

    strengths: Tensor
    covariance: Tensor
    log_likelihood: Tensor

    def standard_error(self, i: int, j: int) -> Tensor:
        """Standard error of s_i − s_j, (...)."""
        c = self.covariance
        return (c[..., i, i] + c[..., j, j] - 2 * c[..., i, j]).clamp(min=0).sqrt()

    def interval(self, i: int, j: int, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """Ends of the Wald interval for s_i − s_j, (...) each. Raises ValueError for a level outside (0, 1)."""
        if not 0 < level < 1:
            raise ValueError(
                f"level = {level}: expected a probability between 0 and 1, such as 0.95"
            )
        middle = self.strengths[..., i] - self.strengths[..., j]
        half = NormalDist().inv_cdf((1 + level) / 2) * self.standard_error(i, j)
        return middle - half, middle + half


def log_likelihood(wins: Tensor, strengths: Tensor) -> Tensor:
    """Σ_ij wins_ij · log σ(s_i − s_j) in nats: (..., n, n) and (..., n) → (...).

    Raises ValueError for what is no table of wins and for strengths that are not n finite
    floating-point numbers.
    """
    _check_table(wins)
    check_floating(strengths=strengths)
    if strengths.ndim == 0 or strengths.shape[-1] != wins.shape[-1]:
        shapes = f"strengths {tuple(strengths.shape)}, wins {tuple(wins.shape)}"
        raise ValueError(f"{shapes}: expected (..., n) for a table (..., n, n)")
    if not torch.isfinite(strengths).all():
        raise ValueError("strengths hold NaN or infinity: expected finite numbers")
    return _log_likelihood(wins, strengths)


def _log_likelihood(wins: Tensor, strengths: Tensor) -> Tensor:
    gap = strengths.unsqueeze(-1) - strengths.unsqueeze(-2)
    terms = torch.where(wins > 0, wins * logsigmoid(gap), 0.0)  # no win counts 0, whatever the gap
    return terms.sum((-1, -2))


def check_existence(wins: Tensor) -> None:
    """Whether the likelihood has one maximum, for each table (..., n, n) of wins.

    Draw an arrow from each winner to each loser. If every item reaches every other along arrows, there is exactly one
    maximum (Ford 1957). Otherwise raises NotUniqueError if the items fall apart even when arrows are read both ways,
    and DivergesError if they do not; both name the items. Raises ValueError for what is no table of wins.
    """
    _check_table(wins)
    reach = _closure(wins > 0)
    if reach.all():
        return
    table = tuple((~reach).nonzero()[0][:-2].tolist())
    where = f"table {list(table)}: " if table else ""
    one, together = reach[table], _closure((wins > 0) | (wins.mT > 0))[table]
    if not together.all():
        group = together[0].nonzero().flatten().tolist()
        apart = (~together[0]).nonzero().flatten().tolist()
        inside = (
            ""
            if (one == together).all()
            else ", and inside a group the likelihood has no maximum either"
        )
        raise NotUniqueError(
            f"{where}items {group} were never compared with {apart}: how the groups stand to each other is not "
            f"determined{inside}. Compare across the groups, fit them apart, or give a prior"
        )
    never_lost = [
        i for i in range(len(one)) if (one[:, i] <= one[i]).all()
    ]  # whoever reaches i is reached by i
    raise DivergesError(
        f"{where}items {never_lost} never lost to the others: the likelihood rises without end as they move away. "
        "Collect comparisons that they lose, leave them out, or give a prior"
    )


def fit(wins: Tensor, prior_sd: float | None = None, steps: int = 100) -> Fit:
    """Maximum likelihood by Newton's method, or the posterior mode under independent N(0, prior_sd²) strengths.

    wins (..., n, n): non-negative counts, fractions allowed (half a win each is one way to count a tie), zero on the
    diagonal. Without a prior raises NotUniqueError or DivergesError where ``check_existence`` does; with one the mode
    always exists, is unique and has mean 0, and the covariance is that of the posterior's normal approximation.
    Raises ValueError for what is no table of wins and for a prior_sd that is not a finite number above 0; RuntimeError
    if ``steps`` do not suffice. Sources: Bradley & Terry 1952; existence, Ford 1957.
    """
    if prior_sd is None:
        check_existence(wins)
    else:
        _check_table(wins)
        if not 0 < prior_sd < float("inf"):
            raise ValueError(
                f"prior_sd = {prior_sd}: expected a finite number above 0, or None for no prior"
            )
    wins = wins.double()
    n, games = wins.shape[-1], wins + wins.mT
    precision = 0.0 if prior_sd is None else prior_sd**-2
    shift = torch.full(
        (n, n), 1.0 / n, dtype=torch.float64
    )  # projects on the direction that the likelihood leaves open
    scale_of_shift = (
        games.sum((-1, -2), keepdim=True) / n
    )  # any number will do: this one keeps the matrix well-conditioned

    def value(s):
        return _log_likelihood(wins, s) - 0.5 * precision * s.square().sum(-1)

    def information(s):
        gap = s.unsqueeze(-1) - s.unsqueeze(-2)
        weight = games * torch.sigmoid(gap) * torch.sigmoid(-gap)
        return torch.diag_embed(weight.sum(-1) + precision) - weight

    s = torch.zeros(wins.shape[:-1], dtype=torch.float64)
    for _ in range(steps):
        expected = games * torch.sigmoid(s.unsqueeze(-1) - s.unsqueeze(-2))
        gradient = (wins - expected).sum(-1) - precision * s  # wins observed minus wins expected
        step = torch.linalg.solve(
            information(s) + scale_of_shift * shift, gradient.unsqueeze(-1)
        ).squeeze(-1)
        step = step - step.mean(-1, keepdim=True)
        scale = torch.ones(s.shape[:-1], dtype=torch.float64)
        for _ in range(60):  # halve where a full step overshoots
            worse = value(s + scale.unsqueeze(-1) * step) < value(s) - 1e-12 * value(s).abs()
            if not worse.any():
                break
            scale = torch.where(worse, scale / 2, scale)
        s = s + scale.unsqueeze(-1) * step
        if step.abs().max() < 1e-8:
            inverse = torch.linalg.inv(
                information(s) + (0 if precision else scale_of_shift * shift)
            )
            covariance = inverse - (0 if precision else shift / scale_of_shift)
            return Fit(s, covariance, _log_likelihood(wins, s))
    raise RuntimeError(
        f"no convergence in {steps} steps, the last of size {step.abs().max():.2g}: give more steps or a prior"
    )


def _check_table(wins: Tensor) -> None:
    check_real(wins=wins)
    if wins.ndim < 2 or wins.shape[-1] != wins.shape[-2] or wins.shape[-1] < 2 or wins.numel() == 0:
        raise ValueError(
            f"wins {tuple(wins.shape)}: expected (..., n, n), how often i beat j, for n ≥ 2 items"
        )
    bad = ~(torch.isfinite(wins) & (wins >= 0))
    if bad.any():
        place = bad.nonzero()[0].tolist()
        raise ValueError(f"wins{place} is {wins[tuple(place)].item()}: expected finite counts ≥ 0")
    if wins.diagonal(dim1=-2, dim2=-1).any():
        raise ValueError(
            "wins has a number on its diagonal: expected 0, an item is not compared with itself"
        )


def _closure(arrows: Tensor) -> Tensor:
    """Which items reach which along arrows, themselves included: (..., n, n) bool → bool, by squaring."""
    n = arrows.shape[-1]
    reach = arrows | torch.eye(n, dtype=torch.bool)
    for _ in range(n.bit_length()):
        reach = (reach.double() @ reach.double()) > 0
    return reach
