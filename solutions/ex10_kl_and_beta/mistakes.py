"""Exercise 10, KL coefficient and inverse temperature: wrong answers that the grader must recognise, and what it says.

They run on recorded inputs when cases are frozen; nothing here reaches the learner.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from solutions.ex10_kl_and_beta import hidden_runs
from solutions.ex10_kl_and_beta.answers import (
    acting_beta,
    beta_of_row,
    choose_beta,
    effective,
    kl_of_weights,
    log_weights,
    pick,
    refuse_logps,
    refuse_settings,
    search_examples,
)
from solutions.freeze import Mistake

# ---- 10a -----------------------------------------------------------------------------------


def _rows(change: Callable) -> Callable:
    """An answer of another β for each row; change: (ref, policy, rewards), each (K,) → number."""

    def answer(ref_logps, policy_logps, rewards):
        refuse_logps(ref_logps, policy_logps)
        found = [float(change(*row)) for row in zip(ref_logps, policy_logps, rewards)]
        return torch.tensor(found, dtype=torch.float64)

    return answer


def _instead(when: Callable, then: float) -> Callable:
    """Right but for the rows on which ``when`` holds."""
    return _rows(lambda *row: then if when(*row) else beta_of_row(*row))


def _finite(then: Callable) -> Callable:
    """Right but where β is a number above 0; then: (right, ref, policy, r) → number."""

    def change(ref, policy, r):
        right = beta_of_row(ref, policy, r)
        return then(right, ref, policy, r) if 0 < right < math.inf else right

    return _rows(change)


def _log_ratio(ref, policy, r):
    said = (ref > -math.inf) & (policy > -math.inf)
    return (policy - ref)[said].double(), r[said].double()


def _slope(u, r):
    return ((r - r.mean()) * (u - u.mean())).sum() / ((r - r.mean()) ** 2).sum()


def _through_zero(right, ref, policy, r):
    u, r = _log_ratio(ref, policy, r)
    return (r * r).sum() / (r * u).sum()


def _one_reply(right, ref, policy, r):
    u, r = _log_ratio(ref, policy, r)
    return r[r.argmax()] / u[r.argmax()]


def _if_positive(size: Callable) -> Callable:
    """The same, and NaN where it is not above 0."""

    def change(*row):
        found = float(size(*row))
        return found if found > 0 else math.nan

    return change


def _mean_over_mean(right, ref, policy, r):
    u, r = _log_ratio(ref, policy, r)
    return r.mean() / u.mean()


def _mean_of_ratios(right, ref, policy, r):
    u, r = _log_ratio(ref, policy, r)
    return (r / u).mean()


def _size_over_size(right, ref, policy, r):
    u, r = _log_ratio(ref, policy, r)
    return r.abs().mean() / u.abs().mean()


def _without_reference(right, ref, policy, r):
    _, rewards = _log_ratio(ref, policy, r)
    return 1 / _slope(policy[(policy > -math.inf) & (ref > -math.inf)].double(), rewards)


def _without_reference_pair(right, ref, policy, r):
    top, low = int(r.argmax()), int(r.argmin())
    return (r[top] - r[low]) / (policy[top] - policy[low])


def _average_price(right, ref, policy, r):
    said = ref > -math.inf
    ref, policy, r = ref[said].double(), policy[said].double(), r[said].double()
    p = policy.exp()
    return ((p - ref.exp()) * r).sum() / (p * (policy - ref)).sum()


def _average_price_kl_sum(ref_logps, policy_logps, rewards):
    """Gain over KL, from 2-D sums."""
    refuse_logps(ref_logps, policy_logps)
    right = acting_beta(ref_logps, policy_logps, rewards)
    p, q = policy_logps.exp().double(), ref_logps.exp().double()
    gain = ((p - q) * rewards).sum(1)
    kl = torch.where(p > 0, p * (policy_logps - ref_logps), 0.0).nan_to_num(0.0).sum(1)
    return torch.where((right > 0) & right.isfinite(), gain / kl, right)


def _by_variance(right, ref, policy, r):
    """β from KL ≈ Var/2β², the variance under the reference."""
    q, p, kept = ref.exp().double(), policy.exp().double(), ref > -math.inf
    variance = (q * r * r).sum() - (q * r).sum() ** 2
    return (variance / (2 * (p * (policy - ref))[kept].sum())).sqrt()


def _by_variance_array(right, ref, policy, r):
    ref, policy, r = (x.double().numpy() for x in (ref, policy, r))
    said = np.isfinite(ref)
    p, q, r = np.exp(policy[said]), np.exp(ref[said]), r[said]
    kl = (p * (policy[said] - ref[said])).sum()
    return np.sqrt((q * (r - q @ r) ** 2).sum() / kl / 2)


def _pooled(mean: Callable) -> Callable:
    def answer(ref_logps, policy_logps, rewards):
        right = acting_beta(ref_logps, policy_logps, rewards)
        some = right.isfinite() & (right > 0)
        return torch.where(some, mean(right[some]), right) if some.any() else right

    return answer


def _always_a_slope(ref, policy, r):
    """Least squares, whether it fits or not."""
    right = beta_of_row(ref, policy, r)
    u, rewards = _log_ratio(ref, policy, r)
    if not math.isnan(right) or _new(ref, policy) or rewards.max() == rewards.min():
        return right
    slope = _slope(u, rewards)
    return 1 / slope if slope > 1e-9 else math.inf if abs(slope) <= 1e-9 else math.nan


def _ends_only(ref, policy, r):
    """From the best and the worst reply alone."""
    right = beta_of_row(ref, policy, r)
    u, rewards = _log_ratio(ref, policy, r)
    if not math.isnan(right) or _new(ref, policy) or rewards.max() == rewards.min():
        return right
    rise = u[rewards.argmax()] - u[rewards.argmin()]
    if abs(rise) < 1e-9:
        return math.inf
    return (rewards.max() - rewards.min()) / rise if rise > 0 else math.nan


def _negative(size: Callable) -> Callable:
    def change(ref, policy, r):
        right, back = beta_of_row(ref, policy, r), beta_of_row(ref, policy, -r)
        return size(-back) if math.isnan(right) and 0 < back < math.inf else right

    return _rows(change)


def _least_squares(ref_logps, policy_logps, rewards):
    """A line through the log-ratios, of whatever slope, where it fits."""
    found = acting_beta(ref_logps, policy_logps, rewards).numpy()
    for k in np.flatnonzero(np.isnan(found)):
        u, r = (x.numpy() for x in _log_ratio(ref_logps[k], policy_logps[k], rewards[k]))
        if len(u) == rewards.shape[1] and np.ptp(r) > 0:
            (slope, _), off, *_ = np.polyfit(r, u, 1, full=True)
            if off.sum() < 1e-6 and abs(slope) > 1e-9:
                found[k] = 1 / slope
    return found


def _new(ref, policy):
    """Whether the policy says what the reference never says."""
    return bool(((policy > -math.inf) & (ref == -math.inf)).any())


def _given_up(ref, policy, r):
    return bool(((policy == -math.inf) & (ref > -math.inf)).any())


def _equal(ref, policy, r):
    said = ref > -math.inf
    return bool(r[said].max() == r[said].min())


def _nothing_moved(ref, policy, r):
    said = ref > -math.inf
    return torch.allclose(ref[said], policy[said], atol=1e-4) and not _given_up(ref, policy, r)


def _best_gave_up_nothing(ref, policy, r):
    """Something was given up and the best replies were not."""
    said = ref > -math.inf
    new = bool((policy[~said] > -math.inf).any())
    best = r == r[said].max()
    return _given_up(ref, policy, r) and not new and bool((policy[best & said] > -math.inf).all())


def _only_best_left(ref, policy, r):
    """The best replies alone are left, in whatever proportions."""
    said = ref > -math.inf
    left = policy > -math.inf
    return bool((left == (said & (r == r[said].max()))).all()) and _given_up(ref, policy, r)


def _only_some_best_left(ref, policy, r):
    """Nothing but best replies is left, perhaps not all of them."""
    said = ref > -math.inf
    left = policy > -math.inf
    best = said & (r == r[said].max())
    return bool((best | ~left).all()) and _given_up(ref, policy, r) and bool((left & best).any())


def _new_ignored(ref_logps, policy_logps, rewards):
    """Looks at what the reference says only."""
    refuse_logps(ref_logps, policy_logps)
    policy = torch.where(ref_logps == -math.inf, -math.inf, policy_logps)
    return _unchecked(ref_logps, policy, rewards)


def _new_ignored_in_rows(ref_logps, policy_logps, rewards):
    refuse_logps(ref_logps, policy_logps)
    found = []
    for ref, policy, r in zip(ref_logps, policy_logps, rewards):
        said = ref > -math.inf
        found.append(beta_of_row(ref[said], policy[said].log_softmax(0), r[said]))
    return torch.tensor(found, dtype=torch.float64)


def _marked(beta: float, mark: float) -> float:
    return mark if math.isnan(beta) else beta


def _never_said_counts(ref_logps, policy_logps, rewards):
    """−∞ − −∞ is NaN, and goes through everything."""
    right = acting_beta(ref_logps, policy_logps, rewards)
    return torch.where((ref_logps == -math.inf).any(1), math.nan, right)


def _never_said_floored(ref_logps, policy_logps, rewards):
    """−∞ replaced by −1000 before all else."""
    refuse_logps(ref_logps, policy_logps)
    floored = [x.clamp(min=-1000.0) for x in (ref_logps, policy_logps)]
    rows = zip(*floored, rewards)
    found = []
    for (ref, policy, r), old in zip(rows, acting_beta(ref_logps, policy_logps, rewards)):
        never = (ref == -1000.0).any() and not bool(((ref == -1000.0) & (policy > -1000.0)).any())
        found.append(beta_of_row(ref, policy, r) if never else float(old))
    return torch.tensor(found, dtype=torch.float64)


def _exponentiated(ref_logps, policy_logps, rewards):
    """Probabilities first: what is smaller than the smallest number becomes 0."""
    refuse_logps(ref_logps, policy_logps)
    return acting_beta(ref_logps.exp().log(), policy_logps.exp().log(), rewards)


def _exponentiated_floor(ref_logps, policy_logps, rewards):
    refuse_logps(ref_logps, policy_logps)
    policy = torch.where(policy_logps < -600, -math.inf, policy_logps)
    return acting_beta(ref_logps, policy, rewards)


def _unchecked(ref_logps, policy_logps, rewards):
    return torch.tensor(
        [beta_of_row(*row) for row in zip(ref_logps, policy_logps, rewards)], dtype=torch.float64
    )


def _normalised(ref_logps, policy_logps, rewards):
    return _unchecked(ref_logps.log_softmax(1), policy_logps.log_softmax(1), rewards)


MISTAKES_10A = (
    Mistake(
        "shape",
        "Your numbers may be right, their shape is not: one β for each row, shape (P,).",
        (
            lambda *tables: acting_beta(*tables)[:, None],
            lambda *tables: acting_beta(*tables)[None],
            lambda *tables: acting_beta(*tables)[:, None].expand(tables[0].shape),
            lambda *tables: acting_beta(*tables).mean(),
        ),
        ("beta",),
    ),
    Mistake(
        "inverse",
        "That is 1/β, the *inverse* temperature, in nats per unit of reward. Asked is β, reward per nat.",
        (
            _finite(lambda right, *row: 1 / right),
            _rows(lambda *row: 1 / max(beta_of_row(*row), 1e-300)),
        ),
        ("beta",),
    ),
    Mistake(
        "log_z",
        "You divide the reward by the log-ratio. The log-ratio is r/β − log Z, and log Z is not 0: what do two replies "
        "of one prompt have in common?",
        (
            _finite(_through_zero),
            _finite(_one_reply),
            _finite(_mean_over_mean),
            _finite(_mean_of_ratios),
            _finite(_size_over_size),
            *(
                _finite(_if_positive(f))
                for f in (_through_zero, _one_reply, _mean_over_mean, _mean_of_ratios)
            ),
        ),
        ("beta",),
    ),
    Mistake(
        "no_reference",
        "You fit the policy's log-probabilities and leave the reference out. That is a temperature over the reply's "
        "reward; β is a price for moving *away* from the reference.",
        (
            _finite(_without_reference),
            _finite(_without_reference_pair),
            _finite(_if_positive(_without_reference)),
            _finite(_if_positive(_without_reference_pair)),
        ),
        ("beta",),
    ),
    Mistake(
        "turned",
        "Your β has the wrong sign: the log-ratio is log π − log π_ref, and a reply with a larger reward has gained.",
        (
            _finite(lambda right, *row: -right),
            _finite(lambda right, ref, policy, r: -beta_of_row(policy, ref, -r)),
        ),
        ("beta",),
    ),
    Mistake(
        "nowhere",
        "You find no β where the policy *is* an optimum. Log-probabilities are right to 0.001 nats, so a test for "
        "equality fails; and what has to rise with the reward, in a straight line, is log π − log π_ref.",
        (
            _finite(lambda right, *row: math.nan),
            _finite(lambda right, ref, policy, r: math.nan if len(r) > 2 else right),
            _finite(lambda right, *row: math.inf),
        ),
        ("beta",),
    ),
    Mistake(
        "average_price",
        "You divide the reward that was gained by the nats that were spent: the price of a nat *on average*. β is "
        "what the *last* nat brought, and the first ones were cheaper.",
        (_finite(_average_price), _average_price_kl_sum),
        ("beta",),
    ),
    Mistake(
        "small_shift",
        "You solve KL = Var/2β² for β. That holds for a policy that has hardly moved; asked is β wherever it stands.",
        (_finite(_by_variance), _finite(_by_variance_array)),
        ("beta",),
    ),
    Mistake(
        "pooled",
        "All prompts get one β. Each row is asked about on its own.",
        (_pooled(torch.mean), _pooled(torch.max), _pooled(lambda x: 1 / (1 / x).mean())),
        ("rows",),
    ),
    Mistake(
        "bits",
        "Right but for a factor log 2: your log-ratios are in bits, β is reward per *nat*.",
        (
            _finite(lambda right, *row: right * math.log(2)),
            _finite(lambda right, *row: right / math.log(2)),
        ),
        ("beta",),
    ),
    Mistake(
        "no_fit",
        "You return a β for a policy that is the optimum at no β. Put your β back into the formula: does it give this "
        "policy, for *every* reply?",
        (_rows(_always_a_slope), _rows(_ends_only)),
        ("unfit",),
    ),
    Mistake(
        "negative",
        "Where the worse reply has gained you return a number. A price below 0 pays for walking away, and at no β > 0 "
        "would the reward have brought this about.",
        (
            _negative(lambda x: x),
            _least_squares,
            _negative(abs),
            _negative(lambda x: 0.0),
            _negative(lambda x: math.inf),
        ),
        ("turned",),
    ),
    Mistake(
        "infinite_missed",
        "Where nothing has moved you do not say ∞: the log-ratios are flat, so a unit of reward has bought no nat at "
        "all, and the price that explains that has no upper end. (At the other end, where only the best is left, β "
        "is 0.)",
        (
            _rows(lambda *row: math.nan if beta_of_row(*row) == math.inf else beta_of_row(*row)),
            _rows(lambda *row: min(beta_of_row(*row), 1e12)),
        ),
        ("infinite",),
        fails=True,
    ),
    Mistake(
        "zero_missed",
        "You do not see the end β → 0: the reference restricted to its best replies. A log-ratio of −∞ there is no "
        "accident but the limit.",
        (
            _instead(_given_up, math.nan),
            _rows(lambda *row: math.nan if beta_of_row(*row) == 0 else beta_of_row(*row)),
        ),
        ("zero",),
        fails=True,
    ),
    Mistake(
        "zero_loose",
        "Not every policy that has given something up is the end β → 0. That end keeps *all* of the best replies, only "
        "them, and in the reference's proportions.",
        (
            _instead(_given_up, 0.0),
            _instead(_best_gave_up_nothing, 0.0),
            _instead(_only_best_left, 0.0),
            _instead(_only_some_best_left, 0.0),
        ),
        ("given_up",),
    ),
    Mistake(
        "newly_said",
        "A policy that says what the reference never says is the optimum at no β: the formula multiplies by the "
        "reference, and 0 stays 0. Your β ignores that reply.",
        (_new_ignored, _new_ignored_in_rows),
        ("new",),
    ),
    Mistake(
        "number_for_nan",
        "You mark rows without an answer by a number of your own. Asked is NaN, which nobody can take for a β.",
        (
            _rows(lambda *row: _marked(beta_of_row(*row), -1.0)),
            _rows(lambda *row: _marked(beta_of_row(*row), -math.inf)),
            _rows(lambda *row: _marked(beta_of_row(*row), 1e9)),
            _rows(lambda *row: _marked(beta_of_row(*row), math.inf)),
            _rows(lambda *row: _marked(beta_of_row(*row), 0.0)),
        ),
        ("turned", "unfit", "new", "given_up", "undetermined"),
    ),
    Mistake(
        "undetermined",
        "Where all rewards are equal, every β has the same optimum, the reference. You name one.",
        (
            _instead(lambda *row: _equal(*row) and _nothing_moved(*row), math.inf),
            _instead(lambda *row: _equal(*row) and _nothing_moved(*row), 0.0),
            _instead(lambda *row: _equal(*row) and _nothing_moved(*row), 1.0),
        ),
        ("undetermined",),
    ),
    Mistake(
        "never_said",
        "A reply that the reference never says decides your result. Its log-ratio is −∞ − (−∞); it belongs in no "
        "sum, in no maximum, and no floor makes it a number.",
        (_never_said_counts, _never_said_floored),
        ("support",),
    ),
    Mistake(
        "exponentiated",
        "Right until log-ratios are large: e^−10000 is 0 for the machine, and its logarithm −∞. Stay with logarithms.",
        (_exponentiated, _exponentiated_floor),
        ("extreme",),
    ),
    Mistake(
        "no_refusal",
        "A row that is no distribution goes through: exponentiated, it has to sum to 1. Raise ValueError.",
        (_unchecked, _normalised),
        ("refuses",),
        fails=True,
    ),
)

# ---- 10b -----------------------------------------------------------------------------------


def _worth(
    value: Callable | None = None,
    weights: Callable = log_weights,
    nats: Callable = kl_of_weights,
    mean: Callable = lambda x: x.mean(-1),
) -> Callable:
    """An answer that differs in one step of the worth; value: (gold, proxy) → what is averaged."""

    def answer(proxy, gold, betas, price, least):
        refuse_settings(betas, price)
        logw = weights(proxy, betas)
        averaged = gold if value is None else value(gold, proxy)
        worth = mean((logw.exp() * averaged).sum(-1) - price * nats(logw))
        return pick(betas, worth, (effective(log_weights(proxy, betas)) >= least).all(-1))

    return answer


def _times(proxy, betas):
    finite = betas.clamp(max=1e6)
    return (proxy * finite[:, None, None]).log_softmax(-1)


def _times_small(proxy, betas):
    return log_weights(proxy, 1 / betas.clamp(max=1e6))


def _over_the_batch(proxy, betas):
    logits = proxy / betas[:, None, None]
    flat = logits.flatten(1).log_softmax(-1).reshape(logits.shape)
    return flat + math.log(len(proxy))


def _mean_z(proxy, betas):
    logits = proxy / betas[:, None, None]
    z = logits.logsumexp(-1, keepdim=True)
    return logits - z.logsumexp(1, keepdim=True) + math.log(len(proxy))


def _no_z(divide: bool) -> Callable:
    """Weights e^{r/β}/N, or e^{r/β}, that need not sum to 1."""

    def weights(proxy, betas):
        logits = (proxy / betas[:, None, None]).clamp(max=600)
        return logits - (math.log(proxy.shape[-1]) if divide else 0.0)

    return weights


def _turned_kl(logw):
    return -(logw + math.log(logw.shape[-1])).mean(-1)


def _turned_kl_square(logw):
    q = 1 / logw.shape[-1]
    return (q * (math.log(q) - logw)).sum(-1)


def _no_log_n(logw):
    return (logw.exp() * logw).sum(-1)


def _entropy(logw):
    return -(logw.exp() * logw).sum(-1)


def _own_price(unit: Callable) -> Callable:
    """β itself is the price of a nat."""

    def answer(proxy, gold, betas, price, least):
        refuse_settings(betas, price)
        logw = log_weights(proxy, betas)
        kl = kl_of_weights(logw)
        paid = torch.where(betas.isinf()[:, None], 0.0, unit(betas, price)[:, None] * kl)
        worth = ((logw.exp() * gold).sum(-1) - paid).mean(-1)
        return pick(betas, worth, (effective(logw) >= least).all(-1))

    return answer


def _seen(number: Callable) -> Callable:
    """An answer with another rule for what is seen; number: (logw, least) → (B,) bool."""

    def answer(proxy, gold, betas, price, least):
        refuse_settings(betas, price)
        logw = log_weights(proxy, betas)
        worth = ((logw.exp() * gold).sum(-1) - price * kl_of_weights(logw)).mean(-1)
        return pick(betas, worth, number(logw, least))

    return answer


def _afterwards(change: Callable) -> Callable:
    """Right, and then changed; change: (beta, worth, betas) → (beta, worth)."""

    def answer(proxy, gold, betas, price, least):
        return change(*choose_beta(proxy, gold, betas, price, least), betas)

    return answer


def _chosen_among_all(proxy, gold, betas, price, least):
    worth = choose_beta(proxy, gold, betas, price, least)[1]
    return choose_beta(proxy, gold, betas, price, 0.0)[0], worth


def _least_refused_only(proxy, gold, betas, price, least):
    """Refuses if nothing is seen, and then shows and compares all."""
    choose_beta(proxy, gold, betas, price, least)
    return choose_beta(proxy, gold, betas, price, 0.0)


def _naive(proxy, gold, betas, price, least):
    refuse_settings(betas, price)
    w = (proxy / betas[:, None, None]).exp()
    w = w / w.sum(-1, keepdim=True)
    kl = (w * (w * w.shape[-1]).log()).sum(-1)
    worth = ((w * gold).sum(-1) - price * kl).mean(-1)
    seen = (1 / (w**2).sum(-1) >= least).all(-1)
    worth = torch.where(seen | worth.isnan(), worth, -math.inf)
    if not (seen | worth.isnan()).any():
        raise ValueError("no β leaves enough samples")
    best = worth.argmax()
    return betas[worth == worth[best]].max().item() if (
        worth == worth[best]
    ).any() else math.nan, worth


def _log_of_zero(proxy, gold, betas, price, least):
    """Stable weights, and the logarithm of those that have become 0."""
    refuse_settings(betas, price)
    w = (proxy / betas[:, None, None]).softmax(-1)
    kl = (w * (w * w.shape[-1]).log()).sum(-1)
    worth = ((w * gold).sum(-1) - price * kl).mean(-1)
    seen = (1 / (w**2).sum(-1) >= least).all(-1)
    if not seen.any():
        raise ValueError("no β leaves enough samples")
    worth = torch.where(seen, worth, -math.inf)
    best = worth[~worth.isnan()].max() if not worth.isnan().all() else worth[0]
    return max(betas[worth == best].tolist(), default=math.nan), worth


def _no_refusal(floor: float) -> Callable:
    def answer(proxy, gold, betas, price, least):
        logw = (proxy / betas[:, None, None]).nan_to_num(0.0).clamp(-1e30, 1e30).log_softmax(-1)
        worth = ((logw.exp() * gold).sum(-1) - price * kl_of_weights(logw)).mean(-1)
        worth = torch.where((effective(logw) >= least).all(-1), worth, -math.inf)
        best = betas[worth == worth.max()].max().item()
        return (best if worth.max() > -math.inf else floor), worth

    return answer


def _proxy_objective(proxy, gold, betas, price, least):
    """What the run itself maximises: proxy less β per nat."""
    refuse_settings(betas, price)
    logw = log_weights(proxy, betas)
    paid = torch.where(betas.isinf(), 0.0, betas)[:, None] * kl_of_weights(logw)
    worth = ((logw.exp() * proxy).sum(-1) - paid).mean(-1)
    return pick(betas, worth, (effective(logw) >= least).all(-1))


def _in_order(descending: bool) -> Callable:
    def answer(proxy, gold, betas, price, least):
        ordered = betas.sort(descending=descending).values
        return choose_beta(proxy, gold, ordered, price, least)

    return answer


def _worth_by_variance(unbiased: bool) -> Callable:
    def answer(proxy, gold, betas, price, least):
        refuse_settings(betas, price)
        logw = log_weights(proxy, betas)
        kl = proxy.var(-1, unbiased=unbiased) / (2 * betas[:, None] ** 2)
        worth = ((logw.exp() * gold).sum(-1) - price * kl).mean(-1)
        return pick(betas, worth, (effective(logw) >= least).all(-1))

    return answer


def _worth_by_prompt(betas_first: bool) -> Callable:
    """The worth of each β on each prompt, without the mean."""

    def answer(proxy, gold, betas, price, least):
        beta, _ = choose_beta(proxy, gold, betas, price, least)
        logw = log_weights(proxy, betas)
        worth = (logw.exp() * gold).sum(-1) - price * kl_of_weights(logw)
        worth = torch.where(effective(logw) >= least, worth, -math.inf)
        return beta, worth if betas_first else worth.T

    return answer


def _worst_that_is_seen(beta, worth, betas):
    seen = worth > -math.inf
    return betas[seen & (worth == worth[seen].min())].max().item(), worth


def _chosen_without_cost(proxy, gold, betas, price, least):
    free = choose_beta(proxy, gold, betas, 0.0, least)[0]
    return free, choose_beta(proxy, gold, betas, price, least)[1]


def _chosen_by_gold(proxy, gold, betas, price, least):
    worth = choose_beta(proxy, gold, betas, price, least)[1]
    mean = (log_weights(proxy, betas).exp() * gold).sum(-1).mean(-1)
    mean = torch.where(worth == -math.inf, -math.inf, mean)
    return betas[mean == mean.max()].max().item(), worth


def _largest_within(slack: float) -> Callable:
    """The largest β whose worth lies so little below the best."""

    def change(beta, worth, betas):
        return betas[worth >= worth.max() - slack].max().item(), worth

    return _afterwards(change)


def _left_out(as_zero: bool) -> Callable:
    """The mean over prompts with enough samples; where none has, or with ``as_zero``, what is left out counts 0."""

    def answer(proxy, gold, betas, price, least):
        refuse_settings(betas, price)
        logw = log_weights(proxy, betas)
        seen = effective(logw) >= least
        worth = ((logw.exp() * gold).sum(-1) - price * kl_of_weights(logw)) * seen
        number = (
            torch.full_like(worth[:, 0], worth.shape[1]) if as_zero else seen.sum(-1).clamp(min=1)
        )
        return pick(betas, worth.sum(-1) / number, seen.any(-1))

    return answer


MISTAKES_10B = (
    Mistake(
        "order",
        "The two results come in the other order: first the β, a number, then the worth of each.",
        (
            _afterwards(lambda beta, worth, betas: (worth, beta)),
            _afterwards(lambda beta, worth, betas: [worth.tolist(), beta]),
        ),
        ("gold",),
    ),
    Mistake(
        "shape",
        "Your worths have another shape than `betas`: one number for each β, the mean over prompts.",
        (_worth_by_prompt(True), _worth_by_prompt(False)),
        ("gold",),
    ),
    Mistake(
        "times_beta",
        "You multiply the proxy by β. β is the temperature, in the proxy's units per nat: the smaller it is, the "
        "sharper are the weights. Multiplied with is 1/β.",
        (_worth(weights=_times), _worth(weights=_times_small)),
        ("gold",),
    ),
    Mistake(
        "batch",
        "Your weights sum to 1 over all prompts together. Each prompt has a Z of its own, or the prompt with the "
        "largest proxies takes all the weight.",
        (_worth(weights=_over_the_batch), _worth(weights=_mean_z)),
        ("prompts",),
    ),
    Mistake(
        "no_z",
        "Your weights do not sum to 1: Z is missing. It is estimated from the same samples.",
        (_worth(weights=_no_z(True)), _worth(weights=_no_z(False))),
        ("gold",),
    ),
    Mistake(
        "proxy_worth",
        "You report what the *proxy* thinks of it. The proxy decides where the policy goes; gold decides what that "
        "is worth.",
        (
            _worth(value=lambda gold, proxy: proxy),
            _worth(value=lambda gold, proxy: proxy - proxy.mean(-1, keepdim=True)),
            _proxy_objective,
        ),
        ("gold",),
    ),
    Mistake(
        "gold_climbed",
        "Your weights come from gold. The run will climb the *proxy*, since nobody grades every reply; gold only "
        "tells what that was worth.",
        (
            lambda proxy, gold, *rest: choose_beta(gold, gold, *rest),
            lambda proxy, gold, *rest: choose_beta(gold, proxy, *rest),
        ),
        ("gold",),
    ),
    Mistake(
        "sorted",
        "Your worths come in another order than `betas`.",
        (_in_order(False), _in_order(True)),
        ("gold",),
    ),
    Mistake(
        "far_from_the_reference",
        "Var/2β² is the KL of a policy that has hardly moved. At these β it has.",
        (_worth_by_variance(False), _worth_by_variance(True)),
        ("cost",),
    ),
    Mistake(
        "kl_turned",
        "Your KL is the other one, KL(π_ref‖π): its mean is over the reference's samples. What is paid for is "
        "KL(π‖π_ref), a mean under the weights.",
        (_worth(nats=_turned_kl), _worth(nats=_turned_kl_square)),
        ("cost",),
    ),
    Mistake(
        "no_log_n",
        "You take the weights' entropy for their KL. KL is measured from the samples as they are, each with weight "
        "1/N, and is 0 where nothing is reweighted.",
        (_worth(nats=_no_log_n), _worth(nats=_entropy)),
        ("cost",),
    ),
    Mistake(
        "kl_mean",
        "Your KL is divided by the number of replies. It is a mean already, under the *weights*, which sum to 1.",
        (
            _worth(nats=lambda logw: kl_of_weights(logw) / logw.shape[-1]),
            _worth(nats=lambda logw: (logw.exp() * (logw + math.log(logw.shape[-1]))).mean(-1)),
        ),
        ("cost",),
    ),
    Mistake(
        "nats_earn",
        "Your nats add to the worth. They are paid for: worth is gold *less* price · KL.",
        (
            _worth(nats=lambda logw: -kl_of_weights(logw)),
            _worth(nats=lambda logw: -(logw.exp() * (logw + math.log(logw.shape[-1]))).sum(-1)),
        ),
        ("cost",),
    ),
    Mistake(
        "gain",
        "You report the gain over the reference's gold. Asked is the gold itself, less what the nats cost.",
        (
            _worth(value=lambda gold, proxy: gold - gold.mean(-1, keepdim=True)),
            _worth(value=lambda gold, proxy: gold - gold.mean()),
        ),
        ("gold",),
    ),
    Mistake(
        "bits",
        "Your KL is in bits. The price is for a nat.",
        (
            _worth(nats=lambda logw: kl_of_weights(logw) / math.log(2)),
            _worth(nats=lambda logw: kl_of_weights(logw) * math.log(2)),
        ),
        ("cost",),
    ),
    Mistake(
        "price_ignored",
        "The nats cost nothing in your answer: it does not change with the price, or changes as if β itself were the "
        "price. β is in the proxy's units; what a nat costs you, in gold, is `price`.",
        (
            _worth(nats=lambda logw: torch.zeros_like(logw[..., 0])),
            _own_price(lambda betas, price: betas * price),
            _own_price(lambda betas, price: betas if price else 0 * betas),
        ),
        ("cost",),
    ),
    Mistake(
        "summed",
        "You sum over prompts. Asked is the mean, so that worth does not grow with their number.",
        (_worth(mean=lambda x: x.sum(-1)), _worth(mean=lambda x: x.mean(-1) * x.shape[-1])),
        ("prompts",),
    ),
    Mistake(
        "one_prompt_decides",
        "Your worth is that of one prompt, the worst, the best or the middle one. Asked is the mean over prompts.",
        (
            _worth(mean=lambda x: x.amin(-1)),
            _worth(mean=lambda x: x.amax(-1)),
            _worth(mean=lambda x: x.quantile(0.5, dim=-1)),
            _worth(mean=lambda x: x.median(-1).values),
            _worth(mean=lambda x: x[..., 0]),
        ),
        ("prompts",),
    ),
    Mistake(
        "left_out",
        "You leave prompts with too few effective samples out of the mean. Then each β is judged on other prompts; one "
        "prompt that cannot be judged makes the whole β unfit to be.",
        (_left_out(False), _left_out(True)),
        ("seen",),
    ),
    Mistake(
        "all_seen",
        "You choose a β at which one or two samples carry all the weight, whatever you show as its worth. Where the "
        "effective number of samples falls short, the worth is −∞ and the β is none to choose.",
        (_least_refused_only, _chosen_among_all),
        ("chosen_seen",),
    ),
    Mistake(
        "seen_on_average",
        "It is not enough that the prompts have enough effective samples on average, or that some have: a prompt "
        "with one effective sample is a guess, and a mean hides it.",
        (
            _seen(lambda logw, least: effective(logw).mean(-1) >= least),
            _seen(lambda logw, least: (effective(logw) >= least).any(-1)),
        ),
        ("seen",),
    ),
    Mistake(
        "unmarked",
        "A β that cannot be judged gets some mark of yours. Asked is −∞, so that it compares as worse than all others.",
        (
            _afterwards(
                lambda beta, worth, betas: (beta, worth.masked_fill(worth.isinf(), math.nan))
            ),
            _afterwards(lambda beta, worth, betas: (beta, worth.masked_fill(worth.isinf(), 0.0))),
            _afterwards(lambda beta, worth, betas: (beta, worth.masked_fill(worth.isinf(), -1e9))),
        ),
        ("seen",),
    ),
    Mistake(
        "other_number",
        "You count effective samples in another way (from their entropy, or from the largest weight). Asked is "
        "1 over the sum of the squared weights.",
        (
            _seen(lambda logw, least: ((-(logw.exp() * logw).sum(-1)).exp() >= least).all(-1)),
            _seen(lambda logw, least: (1 / logw.exp().amax(-1) >= least).all(-1)),
        ),
        ("seen",),
    ),
    Mistake(
        "least_worth",
        "Your β is the one that is worth *least*.",
        (
            _afterwards(lambda beta, worth, betas: (betas[worth.argmin()].item(), worth)),
            _afterwards(_worst_that_is_seen),
        ),
        ("chosen",),
    ),
    Mistake(
        "extreme_beta",
        "Your β is the smallest, the largest, or a certain place of `betas`, whatever it is worth.",
        (
            _afterwards(lambda beta, worth, betas: (betas.min().item(), worth)),
            _afterwards(lambda beta, worth, betas: (betas.max().item(), worth)),
            _afterwards(lambda beta, worth, betas: (betas[0].item(), worth)),
            _afterwards(lambda beta, worth, betas: (betas[-1].item(), worth)),
        ),
        ("chosen",),
    ),
    Mistake(
        "chosen_without_cost",
        "Your worths are right, and your β is that of the most gold, its nats not paid for.",
        (_chosen_without_cost, _chosen_by_gold),
        ("chosen",),
    ),
    Mistake(
        "place",
        "You return the place of the best β in `betas`. Asked is the β.",
        (
            _afterwards(lambda beta, worth, betas: (betas.tolist().index(beta), worth)),
            _afterwards(lambda beta, worth, betas: ((betas == beta).nonzero()[0, 0], worth)),
        ),
        ("chosen",),
    ),
    Mistake(
        "tie",
        "Of two β that are worth the same you take another than the largest. The larger one walks less far for it.",
        (
            _afterwards(lambda beta, worth, betas: (betas[worth.argmax()].item(), worth)),
            _afterwards(
                lambda beta, worth, betas: (betas[-1 - worth.flip(0).argmax()].item(), worth)
            ),
            _afterwards(
                lambda beta, worth, betas: (betas[worth == worth.max()].min().item(), worth)
            ),
        ),
        ("tie", "chosen"),
    ),
    Mistake(
        "tie_of_near",
        "You take worths for equal that differ a little. Equal means equal here, up to the rounding of the machine.",
        (_largest_within(0.05), _largest_within(0.01), _largest_within(0.002)),
        ("tie", "chosen"),
    ),
    Mistake(
        "overflow",
        "Right until r/β is large: e^10000 is infinite, and 0 · log 0 is NaN for the machine and 0 for KL.",
        (_naive, _log_of_zero),
        ("extreme",),
        overflows=True,
    ),
    Mistake(
        "no_refusal",
        "Something without an answer goes through: a β that is not above 0, a price below 0, or samples too few at "
        "every β. Raise ValueError.",
        (_no_refusal(math.inf), _no_refusal(0.0)),
        ("refuses",),
        fails=True,
    ),
)

# ---- 10c -----------------------------------------------------------------------------------


def _with(side: str, **changes) -> Callable:
    """The reference answer with one side changed."""

    def answer():
        found = search_examples()
        return {**found, side: {**found[side], **changes}}

    return answer


def _swapped():
    found = search_examples()
    return {"safe": found["unsafe"], "unsafe": found["safe"]}


def _swapped_others():
    safe = {"ref": [0.5, 0.3, 0.15, 0.05], "proxy": [0, 1, 2, 3], "gold": [-1, 2, 5, -4]}
    return {"safe": search_examples()["unsafe"], "unsafe": safe}


MISTAKES_10C = (
    Mistake(
        "exchanged", "The two are exchanged", (_swapped, _swapped_others), ("safe", "unsafe_misses")
    ),
    Mistake(
        "safe_two_turns",
        "missed",
        (
            _with("safe", **search_examples()["unsafe"]),
            _with("safe", **{**search_examples()["unsafe"], "gold": [0, 2, -4, 6, 6]}),
        ),
        ("safe",),
    ),
    Mistake(
        "safe_never_right",
        "Somewhere the proxy has to be right",
        (_with("safe", gold=[0, -1, -2]), _with("safe", gold=[2, 2, -2])),
        ("safe",),
    ),
    Mistake(
        "safe_no_turn",
        "A proxy that is right to the end needs no search",
        (_with("safe", gold=[0, 2, 3]), _with("safe", proxy=[0, 10, 5])),
        ("safe",),
    ),
    Mistake(
        "no_valley",
        "nothing stops the search",
        (_with("unsafe", gold=[0, 1, 2, 3, 4]), _with("unsafe", gold=[1, 1, 1, 1, 1])),
        ("unsafe_misses",),
    ),
    Mistake(
        "one_turn",
        "After its stop, gold has to rise again",
        (_with("unsafe", **search_examples()["safe"]), _with("unsafe", gold=[0, 2, -4, 0, -3])),
        ("unsafe_misses",),
    ),
    Mistake(
        "harmless_end",
        "the smallest β does no harm",
        (_with("unsafe", gold=[0, 2, -4, 6, 6]), _with("unsafe", gold=[0, 2, -4, 6, 0.1])),
        ("unsafe_ends",),
    ),
)

# ---- 10d -----------------------------------------------------------------------------------

UPSIDE_DOWN = (
    "Your score separates the runs, but upside down: larger must mean that β is more likely wrong."
)


BY_CHANCE = "Asked twice about one run, your score differs: chance decides. Draw with a fixed seed, or not at all."


def at_random(run: dict, grade) -> float:
    """The right score, from samples as they come: right, and a little noisier."""
    return abs(hidden_runs.signed_correlation(run, grade))


def _gain(run, grades):
    return float(grades.mean() - run["reference_grades"].mean())


def _reversed_place(run, grade):
    return float(np.corrcoef(run["log_ratio"][hidden_runs.FIRST], grade(hidden_runs.FIRST))[0, 1])


def _of_few(size: int) -> Callable:
    """The right score from so many grades."""

    def score(run, grade):
        some = hidden_runs.FIRST[:size]
        return abs(float(np.corrcoef(run["proxy"][some], grade(some))[0, 1]))

    return score


def _relative_spread(run, grade):
    graded = grade(hidden_runs.FIRST)
    return float(graded.std() / abs(graded.mean()))


def _other_samples(run, grade):
    """Grades of some samples beside the proxies of others."""
    graded = grade(hidden_runs.FIRST + 60)
    return abs(float(np.corrcoef(run["proxy"][hidden_runs.FIRST], graded)[0, 1]))


def _sorted_apart(run, grade):
    graded = grade(hidden_runs.FIRST)
    return abs(float(np.corrcoef(np.sort(run["proxy"][hidden_runs.FIRST]), graded)[0, 1]))


MISTAKES_10D = (
    Mistake(
        "no_gold",
        "Your score asks for no grade. KL, β and the proxy's gain say how far the policy went; whether that was too "
        "far, gold alone can say.",
        (
            hidden_runs.kl_estimate,
            hidden_runs.proxy_gain,
            hidden_runs.small_beta,
            lambda run, grade: abs(run["log_ratio"].mean() - 1),
        ),
        ("separates",),
    ),
    Mistake(
        "level",
        "You compare the *level* of gold, after against before. All runs have gained alike. The question is whether "
        "more or less β would have gained more: a slope.",
        (
            hidden_runs.gold_gain,
            lambda run, grade: -_gain(run, grade(hidden_runs.FIRST[:50])),
            lambda run, grade: (
                -_gain(run, grade(hidden_runs.FIRST)) / run["reference_grades"].std()
            ),
            lambda run, grade: (
                abs(_gain(run, grade(hidden_runs.FIRST))) / run["reference_grades"].std()
            ),
            lambda run, grade: _gain(run, grade(run["proxy"].argsort(kind="stable")[-30:])),
        ),
        ("separates",),
    ),
    Mistake(
        "reference_only",
        "You look at how proxy and gold go together over the *reference's* replies. There nearly every proxy is "
        "good; where is the policy now?",
        (
            hidden_runs.reference_correlation,
            lambda run, grade: abs(hidden_runs.reference_correlation(run, grade)),
        ),
        ("separates",),
    ),
    Mistake(
        "one_way",
        "Your score knows one way to be wrong. A β that is too large scores as low as it can with you, and it is "
        "regressed, too.",
        (
            hidden_runs.signed_correlation,
            lambda run, grade: -hidden_runs.signed_correlation(run, grade),
            hidden_runs.signed_difference,
            _reversed_place,
        ),
        ("separates",),
    ),
    Mistake(
        "units",
        "Your score changes with the unit of the grades, or of the proxy, which is another in each run. A number that "
        "is large in one unit is small in another: compare it with its own scatter.",
        (hidden_runs.unscaled, hidden_runs.unscaled_slope, hidden_runs.unscaled_difference),
        ("separates",),
    ),
    Mistake(
        "few",
        "You ask for few of the sixty grades. From so few a slope is known badly, and what you find is mostly chance.",
        tuple(map(_of_few, (4, 6, 10))),
        ("separates",),
    ),
    Mistake(
        "apart",
        "In your score a grade does not meet the proxy of the *same* sample: exchange the proxies of the samples that "
        "you have graded, and nothing changes. Does gold rise with the proxy?",
        (_other_samples, _sorted_apart),
        ("separates",),
    ),
    Mistake(
        "zero",
        "Your score changes if a number is added to all grades of a run. Their zero says nothing: compare differences "
        "of grades with differences of grades.",
        (_relative_spread, lambda run, grade: 1 / _relative_spread(run, grade)),
        ("separates",),
    ),
    Mistake(
        "spread",
        "You measure how much grades scatter. They scatter for many reasons; do they scatter *with the proxy*?",
        (hidden_runs.grade_spread, lambda run, grade: float(np.ptp(grade(hidden_runs.FIRST)))),
        ("separates",),
    ),
)

MISTAKES = {"10a": MISTAKES_10A, "10b": MISTAKES_10B, "10c": MISTAKES_10C, "10d": MISTAKES_10D}

NUMBERS_SHOWN = {  # in the failing input that the panel shows, where it is more than twelve
    "10b": 22  # two prompts with three samples: of two, the effective number says nothing
}
