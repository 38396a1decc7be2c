"""Exercise 9, reference policy: wrong answers that the grader must recognise, and what it says of each.

They run on recorded inputs when cases are frozen; nothing here reaches the learner.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from solutions.ex09_reference_policy import hidden_runs
from solutions.ex09_reference_policy.answers import (
    reference_examples,
    refuse_references,
    refuse_rows,
    scored_tokens,
    token_logps,
)
from solutions.freeze import Mistake

# ---- 9a ------------------------------------------------------------------------------------


def _sum(each, scored):
    """Σ of (B, T − 1) values over the places whose next token is scored, (B, T)."""
    return each.masked_fill(~scored[:, 1:], 0.0).sum(1)


def _other(score: Callable = scored_tokens, each: Callable = token_logps, total: Callable = _sum):
    """An answer with other scored tokens, other values of a token, or another total."""

    def answer(logits, tokens, mask, n_prompt, end):
        refuse_rows(mask, n_prompt)
        return total(each(logits, tokens), score(tokens, mask, n_prompt, end))

    return answer


def _by_rows(value: Callable) -> Callable:
    """An answer that goes through the rows; value: (logps (T, V), tokens (T,), first, last + 1 of the text, n, end)."""

    def answer(logits, tokens, mask, n_prompt, end):
        refuse_rows(mask, n_prompt)
        found = []
        for b in range(len(tokens)):
            text = mask[b].nonzero().flatten()
            first, last = int(text[0]), int(text[-1]) + 1
            logps = logits[b].log_softmax(-1)
            total = value(logps, tokens[b], first, last, int(n_prompt[b]), end)
            found.append(torch.as_tensor(total, dtype=logits.dtype))
        return torch.stack(found)

    return answer


def _walk(
    back: int = 1,
    begin: Callable = lambda first, n: first + n,
    stop: Callable = lambda t, end: t == end,
):
    """Token after token from ``begin``, each scored ``back`` places before it, until ``stop``."""

    def value(logps, tokens, first, last, n, end):
        total = 0.0
        for t in range(max(begin(first, n), back), last):
            total = total + logps[t - back, tokens[t]]
            if stop(int(tokens[t]), end):
                break
        return total

    return value


def _unshifted(logits, tokens):
    """The logits of each place score the token that stands there."""
    return logits.log_softmax(-1).gather(-1, tokens[:, :, None]).squeeze(-1)


def _sum_in_place(each, scored):
    return each.masked_fill(~scored, 0.0).sum(1)


def _mask_unshifted(each, scored):
    return each.masked_fill(~scored[:, :-1], 0.0).sum(1)


def _mask_unshifted_in_loops(logits, tokens, mask, n_prompt, end):
    refuse_rows(mask, n_prompt)
    scored, each = scored_tokens(tokens, mask, n_prompt, end), token_logps(logits, tokens)
    rows = range(len(tokens))
    return torch.stack(
        [
            sum((each[b, t] for t in range(each.shape[1]) if scored[b, t]), each.new_zeros(()))
            for b in rows
        ]
    )


def _from_the_second(tokens, mask, n_prompt, end):
    """All scored tokens but the first of each row."""
    scored = scored_tokens(tokens, mask, n_prompt, end)
    return scored & scored.roll(1, 1)


def _one_early(tokens, mask, n_prompt, end):
    """A mask that its loader had shifted already."""
    return scored_tokens(tokens, mask, n_prompt, end).roll(-1, 1)


def _shifted_twice(each, scored):
    return each[:, :-1].masked_fill(~scored[:, 2:], 0.0).sum(1)


def _two_back(each, scored):
    """The logits of two places before score each token."""
    return each.masked_fill(~scored[:, 2:], 0.0).sum(1)


def _logps_two_back(logits, tokens):
    return logits[:, :-2].log_softmax(-1).gather(-1, tokens[:, 2:, None]).squeeze(-1)


def _empty_as(value: float) -> Callable:
    """Right, but for replies without a token."""

    def total(each, scored):
        return torch.where(scored.any(1), _sum(each, scored), value)

    return _other(total=total)


def _mean(each, scored):
    return _sum(each, scored) / scored[:, 1:].sum(1).clamp(min=1)


def _mean_of_rows(each, scored):
    rows = [row[s] for row, s in zip(each, scored[:, 1:])]
    return torch.stack([row.mean() if len(row) else row.sum() for row in rows])


def _without_end(tokens, mask, n_prompt, end):
    return scored_tokens(tokens, mask, n_prompt, end) & (tokens != end)


def _before_end(logps, tokens, first, last, n, end):
    total = 0.0
    for t in range(first + n, last):
        if tokens[t] == end:
            break
        total = total + logps[t - 1, tokens[t]]
    return total


def _all_after_prompt(tokens, mask, n_prompt, end):
    return mask.bool() & (mask.cumsum(1) > n_prompt[:, None])


def _to_last_end(tokens, mask, n_prompt, end):
    reply = _all_after_prompt(tokens, mask, n_prompt, end)
    ends = (reply & (tokens == end)).int()
    after = ends.flip(1).cumsum(1).flip(1) > 0  # an end stands here or further on
    return reply & (after | (ends.sum(1, keepdim=True) == 0))


def _from_start(tokens, mask, n_prompt, end):
    return mask.bool() & scored_or_prompt(tokens, mask, n_prompt, end)


def scored_or_prompt(tokens, mask, n_prompt, end):
    """Text up to the reply's end."""
    return scored_tokens(tokens, mask, n_prompt, end) | (mask.cumsum(1) <= n_prompt[:, None])


def _end_in_prompt(tokens, mask, n_prompt, end):
    """Stops at the first end of the row, wherever it stands."""
    ends = (mask.bool() & (tokens == end)).int()
    return _all_after_prompt(tokens, mask, n_prompt, end) & (ends.cumsum(1) - ends == 0)


def _end_in_prompt_loop(logps, tokens, first, last, n, end):
    total = 0.0
    for t in range(first, last):
        if t - first >= n:
            total = total + logps[t - 1, tokens[t]]
        if tokens[t] == end:
            break
    return total


def _padding_by_id(tokens, mask, n_prompt, end):
    """Takes every end token for padding, which carries the same id."""
    text = tokens != end
    return text & (text.cumsum(1) > n_prompt[:, None])


def _padding_by_id_loop(logits, tokens, mask, n_prompt, end):
    refuse_rows(mask, n_prompt)
    logps, found = token_logps(logits, tokens), []
    for b in range(len(tokens)):
        words = [t for t in range(tokens.shape[1]) if tokens[b, t] != end][int(n_prompt[b]) :]
        found.append(sum((logps[b, t - 1] for t in words if t > 0), logits.new_zeros(())))
    return torch.stack(found)


def _at_the_left(tokens, mask, n_prompt, end):
    """Counts the prompt's tokens from the left edge, padding or not."""
    places = torch.arange(tokens.shape[1])
    reply = mask.bool() & (places >= n_prompt[:, None])
    ends = (reply & (tokens == end)).int()
    return reply & (ends.cumsum(1) - ends == 0)


def _as_if_at_the_left(tokens, mask, n_prompt, end):
    """Reads every row as if its text began in the first column."""
    places = torch.arange(tokens.shape[1])
    reply = (places >= n_prompt[:, None]) & (places < mask.sum(1)[:, None])
    ends = (reply & (tokens == end)).int()
    return reply & (ends.cumsum(1) - ends == 0)


def _ignores_mask(tokens, mask, n_prompt, end):
    return _at_the_left(tokens, torch.ones_like(mask), n_prompt, end)


def _at_the_right(tokens, mask, n_prompt, end):
    """Takes the row's last places for its reply, padding or not."""
    n_reply = mask.sum(1) - n_prompt
    places = torch.arange(tokens.shape[1])
    reply = places >= tokens.shape[1] - n_reply[:, None]
    ends = (reply & (tokens == end)).int()
    return reply & (ends.cumsum(1) - ends == 0)


def _tokens_without_padding(logits, tokens, mask, n_prompt, end):
    refuse_rows(mask, n_prompt)
    found = []
    for b in range(len(tokens)):
        text = tokens[b][mask[b].bool()]
        logps = logits[b].log_softmax(-1)
        found.append(torch.as_tensor(_walk()(logps, text, 0, len(text), int(n_prompt[b]), end)))
    return torch.stack([x.to(logits.dtype) for x in found])


def _logits_without_padding(logits, tokens, mask, n_prompt, end):
    """A row's reply is found where it stands, its logits counted from the text's first."""
    refuse_rows(mask, n_prompt)
    scored, first = scored_tokens(tokens, mask, n_prompt, end), mask.argmax(1)
    found = []
    for b, row in enumerate(scored):
        logps = logits[b].log_softmax(-1)
        places = row.nonzero().flatten().tolist()
        terms = (logps[t - int(first[b]) - 1, tokens[b, t]] for t in places)
        found.append(sum(terms, logits.new_zeros(())))
    return torch.stack(found)


def _with_a_forced_end(logps, tokens, first, last, n, end):
    ended = bool((tokens[first + n : last] == end).any())
    return _walk()(logps, tokens, first, last, n, end) + (0.0 if ended else logps[last - 1, end])


def _last_choice_forced(logits, tokens, mask, n_prompt, end):
    """What a file would give in which an end had been written behind every reply that has none."""
    right = _sum(token_logps(logits, tokens), scored_tokens(tokens, mask, n_prompt, end))
    last = tokens.shape[1] - 1 - mask.flip(1).argmax(1)
    stop = logits.log_softmax(-1)[torch.arange(len(tokens)), last, end]
    ended = (_all_after_prompt(tokens, mask, n_prompt, end) & (tokens == end)).any(1)
    return torch.where(ended, right, right + stop)


def _finished_only(instead: float) -> Callable:
    def answer(logits, tokens, mask, n_prompt, end):
        refuse_rows(mask, n_prompt)
        right = _sum(token_logps(logits, tokens), scored_tokens(tokens, mask, n_prompt, end))
        ended = (_all_after_prompt(tokens, mask, n_prompt, end) & (tokens == end)).any(1)
        return torch.where(ended, right, torch.full_like(right, instead))

    return answer


def _raw(logits, tokens):
    return logits[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)


def _raw_in_loops(logits, tokens, mask, n_prompt, end):
    refuse_rows(mask, n_prompt)
    scored, found = scored_tokens(tokens, mask, n_prompt, end), []
    for b, row in enumerate(scored):
        places = row.nonzero().flatten().tolist()
        found.append(sum((logits[b, t - 1, tokens[b, t]] for t in places), logits.new_zeros(())))
    return torch.stack(found)


def _probabilities(each, scored):
    return each.exp().masked_fill(~scored[:, 1:], 0.0).sum(1)


def _negative(each, scored):
    return -_sum(each, scored)


def _whole_probability(each, scored):
    return _sum(each, scored).exp()


def _over(dim: int) -> Callable:
    def each(logits, tokens):
        return logits.log_softmax(dim)[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)

    return each


def _times(each, scored):
    return (each * scored[:, 1:]).sum(1)


def _log_of_softmax(logits, tokens):
    return logits[:, :-1].softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1).log()


def _exp_over_sum(logits, tokens):
    p = logits[:, :-1].exp()
    return (p / p.sum(-1, keepdim=True)).gather(-1, tokens[:, 1:, None]).squeeze(-1).log()


def _floored(floor: float) -> Callable:
    def each(logits, tokens):
        p = logits[:, :-1].softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1)
        return (p + floor).log()

    return each


def _clamped(logits, tokens):
    return token_logps(logits, tokens).clamp(min=-30.0)


def _one_number(each, scored):
    return _sum(each, scored).sum()


def _column(each, scored):
    return _sum(each, scored)[:, None]


def _each_token(each, scored):
    return each.masked_fill(~scored[:, 1:], 0.0)


def _unchecked(logits, tokens, mask, n_prompt, end):
    text = mask.bool()
    reply = text & (text.cumsum(1) > n_prompt[:, None])
    ends = (reply & (tokens == end)).int()
    return _sum(token_logps(logits, tokens), reply & (ends.cumsum(1) - ends == 0))


def _half_checked(logits, tokens, mask, n_prompt, end):
    if (n_prompt < 1).any():
        raise ValueError("an empty prompt")
    return _unchecked(logits, tokens, mask, n_prompt, end)


def _in_loops(score: Callable, each: Callable, back: int, finish: Callable) -> Callable:
    """Token after token; finish: the list of a row's numbers → its answer."""

    def answer(logits, tokens, mask, n_prompt, end):
        refuse_rows(mask, n_prompt)
        found = []
        for row, scored in zip(each(logits, tokens), score(tokens, mask, n_prompt, end)):
            places = [t for t in scored.nonzero().flatten().tolist() if t >= back]
            found.append(float(finish([row[t - back].item() for t in places])))
        return torch.tensor(found, dtype=logits.dtype)

    return answer


def _mean_of_list(numbers: list[float]) -> float:
    return sum(numbers) / max(len(numbers), 1)


_FIRST_SLIPS = {  # what they are called, and how they are made
    "no_shift": (
        "your logits score the token that they have just read",
        scored_tokens,
        _unshifted,
        0,
    ),
    "late": ("the first token of the reply is not scored", _from_the_second, token_logps, 1),
    "early": (
        "the prompt's last token is scored and the reply's is not",
        _one_early,
        token_logps,
        1,
    ),
    "without_end": ("the end token is not scored", _without_end, token_logps, 1),
    "prompt_included": ("tokens of the prompt are scored", _from_start, token_logps, 1),
}
_SECOND_SLIPS = {
    "mean": (
        "you take means where sums are asked",
        _mean_of_list,
        _mean,
        lambda e, s: _mean_in_place(e, s),
    ),
    "negative": (
        "your signs are turned",
        lambda x: -sum(x),
        _negative,
        lambda e, s: -_sum_in_place(e, s),
    ),
}


def _mean_in_place(each, scored):
    return _sum_in_place(each, scored) / scored.sum(1).clamp(min=1)


def _two_slips() -> tuple[Mistake, ...]:
    """Pairs of mistakes that hide each other where each alone would be recognised."""
    found = []
    for first, (what, score, each, back) in _FIRST_SLIPS.items():
        for second, (too, finish, total, in_place) in _SECOND_SLIPS.items():
            found.append(
                Mistake(
                    f"{first}_and_{second}",
                    f"Two slips at once: {what}, and {too}.",
                    (
                        _other(score, each, total if back else in_place),
                        _in_loops(score, each, back, finish),
                    ),
                    ("one",),
                )
            )
    return tuple(found)


MISTAKES_9A = (
    Mistake(
        "no_shift",
        "Your logits score the token that they have just read. Those at place t were computed *after* reading token t: "
        "which token do they speak of?",
        (_other(each=_unshifted, total=_sum_in_place), _by_rows(_walk(back=0))),
        ("one",),
    ),
    Mistake(
        "late",
        "You begin one token late: the first token of the reply is not scored. Logits and tokens are shifted against "
        "each other; what says which of them count has to move along with the tokens.",
        (
            _other(total=_mask_unshifted),
            _mask_unshifted_in_loops,
            _by_rows(_walk(begin=lambda first, n: first + n + 1)),
            _other(_from_the_second),
        ),
        ("one",),
    ),
    Mistake(
        "early",
        "You score the prompt's last token and miss the reply's: what says which tokens count is shifted twice. "
        "A policy that is trained so never learns to end (8.2).",
        (_other(total=_shifted_twice), _other(_one_early)),
        ("one",),
    ),
    Mistake(
        "mean",
        "Your values are means over the reply's tokens. π(y|x) is a product over tokens, so its "
        "logarithm is their sum.",
        (_other(total=_mean), _other(total=_mean_of_rows)),
        ("one",),
    ),
    Mistake(
        "without_end",
        "The end token is missing. To stop there was a choice like any other word, and it has its probability; without "
        "it the probabilities of all replies do not sum to 1.",
        (_other(_without_end), _by_rows(_before_end)),
        ("one", "turns"),
    ),
    Mistake(
        "after_end",
        "You go on after the end. What the sampler wrote behind the first end token of the reply is not part of it.",
        (
            _other(_all_after_prompt),
            _by_rows(_walk(stop=lambda token, end: False)),
            _other(_to_last_end),
        ),
        ("end",),
    ),
    Mistake(
        "prompt_included",
        "Your sum includes tokens of the prompt. The reference was given those; it did not choose them.",
        (
            _other(_from_start),
            _by_rows(_walk(begin=lambda first, n: first, stop=lambda token, end: False)),
        ),
        ("one",),
    ),
    Mistake(
        "two_back",
        "Your logits stand two places before the token that they score. Those at place t speak of the token at t + 1.",
        (_other(each=_logps_two_back, total=_two_back), _by_rows(_walk(back=2))),
        ("one",),
    ),
    Mistake(
        "empty",
        "An empty reply has nothing to be scored: its probability is 1, and the logarithm 0. It is no mean of nothing.",
        (_empty_as(math.nan), _empty_as(-math.inf), _empty_as(1.0)),
        ("empty",),
        fails=True,
    ),
    Mistake(
        "end_in_prompt",
        "A prompt may contain end tokens, one after every turn of a dialogue. They do not end the reply: look for its "
        "end behind the prompt.",
        (_other(_end_in_prompt), _by_rows(_end_in_prompt_loop)),
        ("turns", "batch"),
    ),
    Mistake(
        "padding_by_id",
        "You tell padding by its id. In these rows padding and the end token have *one* id, as in many tokenizers' "
        "files, so ends get lost with it. Which tokens are text, the mask says.",
        (_other(_padding_by_id), _padding_by_id_loop),
        ("one", "turns"),
    ),
    Mistake(
        "padding_left",
        "You count the prompt's tokens from the left edge of the table. Behind padding the text begins later: count "
        "from its own first token.",
        (
            _other(_at_the_left),
            _other(_ignores_mask),
            _other(_as_if_at_the_left),
            _by_rows(_walk(begin=lambda first, n: n)),
        ),
        ("padded",),
    ),
    Mistake(
        "padding_left_out_of_tokens",
        "You take padding out of the tokens and not out of the logits, or the other way round: from then "
        "on a token and "
        "the place that speaks of it no longer belong together.",
        (_tokens_without_padding, _logits_without_padding),
        ("padded",),
    ),
    Mistake(
        "loss",
        "Your answer is the loss of SFT: one number, the mean over tokens, with its sign turned. Asked "
        "is the sum, row by "
        "row, as it is: DPO's loss compares rows.",
        (
            _other(total=lambda e, s: -_sum(e, s).sum() / s[:, 1:].sum()),
            _other(_all_after_prompt, total=lambda e, s: -e[s[:, 1:]].mean()),
        ),
        ("one",),
    ),
    Mistake(
        "perplexity",
        "Your numbers are perplexities. That is the exponential of the *mean* negative log-probability; "
        "asked is the sum "
        "of log-probabilities.",
        (
            _other(total=lambda e, s: torch.exp(-_mean(e, s))),
            _other(total=lambda e, s: 1 / _mean_of_rows(e, s).exp()),
        ),
        ("one",),
    ),
    Mistake(
        "bits",
        "Your logarithms are to the base 2. Log-probabilities are in nats here, as in the loss.",
        (
            _other(total=lambda e, s: _sum(e, s) / math.log(2)),
            _other(each=lambda g, t: token_logps(g, t).exp().log2()),
        ),
        ("one",),
    ),
    Mistake(
        "padding_right",
        "You count the reply's tokens from the right edge of the table. With padding behind the text it ends earlier.",
        (
            _other(_at_the_right),
            _by_rows(
                lambda logps, tokens, first, last, n, end: _walk()(
                    logps, tokens, len(tokens) - (last - first), len(tokens), n, end
                )
            ),
        ),
        ("padded",),
    ),
    Mistake(
        "forced_end",
        "You add an end to replies that have none. They were cut off: nobody chose to stop there, so no probability of "
        "stopping belongs to them.",
        (_by_rows(_with_a_forced_end), _last_choice_forced),
        ("one",),
    ),
    Mistake(
        "finished_only",
        "Replies without an end token get no sum, or 0. They were cut off, and all of their tokens are scored.",
        (_finished_only(0.0), _finished_only(float("nan")), _finished_only(float("-inf"))),
        ("one", "batch"),
    ),
    Mistake(
        "raw_logits",
        "You add up logits. A logit is a log-probability only up to a constant of its place: normalise over the "
        "vocabulary first.",
        (_other(each=_raw), _raw_in_loops),
        ("one",),
    ),
    Mistake(
        "axis",
        "Your softmax runs over the wrong axis. For every row and place the probabilities of all *words* sum to 1: "
        "that is the last axis.",
        (_other(each=_over(1)), _other(each=_over(0))),
        ("batch",),
    ),
    Mistake(
        "probabilities",
        "You return probabilities, or add them up. Asked is log π(y|x): the logarithm of each token's probability, "
        "then the sum.",
        (_other(total=_probabilities), _other(total=_whole_probability)),
        ("one",),
    ),
    Mistake(
        "negative",
        "Your signs are turned: a log-probability is 0 or less. Its negative is the loss of SFT.",
        (_other(total=_negative), _by_rows(lambda *a: -1.0 * _walk()(*a))),
        ("one",),
    ),
    Mistake(
        "shape",
        "Your shape is not that of the answer: one number for each row, (B,), neither one for the whole batch nor one "
        "for each token.",
        (
            _other(total=_one_number),
            _other(total=lambda e, s: _sum(e, s).mean()),
            _other(total=_column),
            _other(total=_each_token),
        ),
        ("one",),
    ),
    Mistake(
        "nan",
        "Right, until a place that does not count holds NaN or infinity, as padding may: 0 · NaN is NaN. "
        "Choose what to "
        "add; do not multiply by 0.",
        (
            _other(total=_times),
            _other(total=lambda e, s: torch.einsum("bt,bt->b", e, s[:, 1:].to(e.dtype))),
        ),
        ("unused",),
        overflows=True,
    ),
    Mistake(
        "overflow",
        "Right where numbers are moderate, and not at logits of ±10⁴: probabilities round to 0, or exp "
        "overflows, before "
        "the logarithm is taken. There is a function that never passes through probabilities.",
        (_other(each=_log_of_softmax), _other(each=_exp_over_sum)),
        ("extreme",),
        overflows=True,
    ),
    Mistake(
        "floor",
        "You hold probabilities, or their logarithms, above a floor. What the reference can hardly say costs more than "
        "that, and what it can never say has log-probability −∞: a number there hides exactly the replies that 2.4 "
        "warns of.",
        (_other(each=_floored(1e-10)), _other(each=_floored(1e-12)), _other(each=_clamped)),
        ("never",),
        fails=True,
    ),
    Mistake(
        "no_refusal",
        "Something that cannot be scored goes through: padding inside a row's text (the token behind it "
        "would be scored "
        "by logits that read padding), a prompt of no tokens (nothing predicts the first word), or one longer than its "
        "row. Raise ValueError.",
        (_unchecked, _half_checked),
        ("refuses",),
        fails=True,
    ),
    *_two_slips(),
)

# ---- 9b ------------------------------------------------------------------------------------


def _table(logits_of: Callable, finish: Callable = lambda x: x.log_softmax(-1)) -> Callable:
    """An answer with other unnormalised log-probabilities or another end; (policy, wrong, right, β, β′) → (B, K)."""

    def answer(policy, wrong, right, beta, new_beta):
        refuse_references(policy, wrong, right, beta, new_beta)
        never = policy.isneginf() | right.isneginf()
        given = (x.masked_fill(never, 0.0) for x in (policy, wrong, right))
        return finish(logits_of(*given, beta, new_beta).masked_fill(never, -torch.inf))

    return answer


def _in_probabilities(weights_of: Callable) -> Callable:
    """The same from probabilities; what is negative counts as 0."""

    def answer(policy, wrong, right, beta, new_beta):
        refuse_references(policy, wrong, right, beta, new_beta)
        given = (x.softmax(-1) for x in (policy, wrong, right))
        weights = weights_of(*given, beta, new_beta).clamp(min=0.0)
        return (weights / weights.sum(-1, keepdim=True)).log()

    return answer


def _right_logits(p, w, r, b, c):
    return r + b / c * (p - w)


def _naive(policy, wrong, right, beta, new_beta):
    refuse_references(policy, wrong, right, beta, new_beta)
    return (right + beta / new_beta * (policy - wrong)).log_softmax(-1)


def _naive_rewards(policy, wrong, right, beta, new_beta):
    refuse_references(policy, wrong, right, beta, new_beta)
    rewards = beta * policy - beta * wrong
    logits = rewards / new_beta + right
    return logits - logits.logsumexp(-1, keepdim=True)


def _through_probabilities(policy, wrong, right, beta, new_beta):
    refuse_references(policy, wrong, right, beta, new_beta)
    never = policy.isneginf() | right.isneginf()
    p, w, r = (x.masked_fill(never, 0.0) for x in (policy, wrong, right))
    weights = _right_logits(p, w, r, beta, new_beta).exp().masked_fill(never, 0.0)
    return (weights / weights.sum(-1, keepdim=True)).log()


def _product_of_powers(policy, wrong, right, beta, new_beta):
    refuse_references(policy, wrong, right, beta, new_beta)
    never = policy.isneginf() | right.isneginf()
    p, w, r = (x.masked_fill(never, 0.0).exp() for x in (policy, wrong, right))
    weights = (r * (p / w) ** (beta / new_beta)).masked_fill(never, 0.0)
    return (weights / weights.sum(-1, keepdim=True)).log()


def _floored_references(floor: float) -> Callable:
    def answer(policy, wrong, right, beta, new_beta):
        refuse_references(policy, wrong, right, beta, new_beta)
        p, w, r = (x.log_softmax(-1).clamp(min=floor) for x in (policy, wrong, right))
        return _right_logits(p, w, r, beta, new_beta).log_softmax(-1)

    return answer


def _unchecked_references(policy, wrong, right, beta, new_beta):
    never = policy.isneginf() | right.isneginf()
    p, w, r = (x.masked_fill(never, 0.0) for x in (policy, wrong, right))
    return _right_logits(p, w, r, beta, new_beta).masked_fill(never, -torch.inf).log_softmax(-1)


def _half_checked_references(policy, wrong, right, beta, new_beta):
    if beta <= 0 or new_beta <= 0:
        raise ValueError("β must be positive")
    return _unchecked_references(policy, wrong, right, beta, new_beta)


def _unfinished(*tables: Callable) -> tuple[Callable, ...]:
    """Wrong tables that are not normalised either, or returned as probabilities."""
    ends = (lambda x: x), (lambda x: x.softmax(-1))
    return tuple(_table(table, end) for table in tables for end in ends)


MISTAKES_9B = (
    Mistake(
        "exchanged",
        "You have the two references in each other's place: the policy is divided by what it was trained with, and "
        "what it learned is put on the right one.",
        (
            _table(lambda p, w, r, b, c: w + b / c * (p - r)),
            *_unfinished(lambda p, w, r, b, c: w + b / c * (p - r)),
            _table(lambda p, w, r, b, c: p + w - r),
            _in_probabilities(lambda p, w, r, b, c: w * (p / r) ** (b / c)),
        ),
        ("swap",),
    ),
    Mistake(
        "kept",
        "The wrong reference is still in your result: it multiplies policy and π_ref. What a policy has *learned* is "
        "what it says more often than the reference it was trained with.",
        (
            _table(lambda p, w, r, b, c: p + r),
            *_unfinished(lambda p, w, r, b, c: p + r),
            _in_probabilities(lambda p, w, r, b, c: p * r),
            _table(lambda p, w, r, b, c: (p + r) / 2),
            _table(lambda p, w, r, b, c: r + b / c * (p + w)),
            _table(lambda p, w, r, b, c: r + p + w),
        ),
        ("swap",),
    ),
    Mistake(
        "put_back",
        "You put what was learned back on the wrong reference, so π_ref is nowhere in your result: at β′ = β it is the "
        "run's policy again.",
        (
            _table(lambda p, w, r, b, c: w + b / c * (p - w)),
            _table(lambda p, w, r, b, c: w + c / b * (p - w)),
            _in_probabilities(lambda p, w, r, b, c: w * (p / w) ** (b / c)),
        ),
        ("swap", "beta"),
    ),
    Mistake(
        "unlearned",
        "You take away from π_ref what was learned, instead of adding it: what the policy says *more* often than ν has "
        "the larger reward.",
        (
            _table(lambda p, w, r, b, c: r - b / c * (p - w)),
            _in_probabilities(lambda p, w, r, b, c: r * (w / p) ** (b / c)),
        ),
        ("swap",),
    ),
    Mistake(
        "logs_divided",
        "You divide one logarithm by another. A ratio of probabilities is a *difference* of their logarithms.",
        (
            _table(lambda p, w, r, b, c: r + b / c * p / w),
            _table(lambda p, w, r, b, c: r * p / w),
            _table(lambda p, w, r, b, c: b / c * r * p / w),
        ),
        ("swap",),
    ),
    Mistake(
        "bits",
        "Your logarithms are to the base 2. Log-probabilities are in nats, as they are given.",
        (
            _table(_right_logits, lambda x: x.log_softmax(-1) / math.log(2)),
            _table(_right_logits, lambda x: x.softmax(-1).log2()),
        ),
        ("swap",),
    ),
    Mistake(
        "against_right",
        "You measure what the policy has learned against π_ref. It was trained against ν: what it learned is what it "
        "says more often than ν.",
        (
            _table(lambda p, w, r, b, c: r + b / c * (p - r)),
            _table(lambda p, w, r, b, c: b / c * p + (1 - b / c) * r),
            _table(lambda p, w, r, b, c: w + b / c * (p - r) + r - w),
            _table(lambda p, w, r, b, c: p - r),
            _table(lambda p, w, r, b, c: b / c * (p - r)),
        ),
        ("swap", "beta"),
    ),
    Mistake(
        "as_given",
        "You return one of the policies as it was given. The run's policy still has ν in it, and π_ref nothing of what "
        "was learned.",
        (
            _table(lambda p, w, r, b, c: p + 0.0),
            _table(lambda p, w, r, b, c: r + 0.0),
            lambda p, w, r, b, c: refuse_references(p, w, r, b, c) or p.clone(),
        ),
        ("swap", "beta"),
    ),
    Mistake(
        "only_learned",
        "Your result is proportional to what the policy learned, e^{r/β} alone, as if the reference said all replies "
        "alike. Put it on π_ref.",
        (
            _table(lambda p, w, r, b, c: p - w),
            _table(lambda p, w, r, b, c: b / c * (p - w)),
            *_unfinished(lambda p, w, r, b, c: b / c * (p - w)),
            _in_probabilities(lambda p, w, r, b, c: p / w),
        ),
        ("swap",),
    ),
    Mistake(
        "ratio_added",
        "You add probabilities, or mix the two references in proportion. Optima are products: a reference times "
        "e^{r/β}. Work with logarithms.",
        (
            _in_probabilities(lambda p, w, r, b, c: p + r - w),
            _in_probabilities(lambda p, w, r, b, c: p - w + r + 0 * b),
            _in_probabilities(lambda p, w, r, b, c: (p + r) / 2),
        ),
        ("swap",),
    ),
    Mistake(
        "beta_ignored",
        "Right while β stays as it is. A log-ratio is r/β; at another β′ the same reward makes another log-ratio.",
        (
            _table(lambda p, w, r, b, c: r + p - w),
            _in_probabilities(lambda p, w, r, b, c: r * p / w),
        ),
        ("beta",),
    ),
    Mistake(
        "beta_turned",
        "Your two β are in each other's place: a *larger* β′ should leave the result closer to π_ref, and yours goes "
        "further away.",
        (
            _table(lambda p, w, r, b, c: r + c / b * (p - w)),
            _in_probabilities(lambda p, w, r, b, c: r * (p / w) ** (c / b)),
        ),
        ("beta",),
    ),
    Mistake(
        "beta_once",
        "One of the two β is missing from your result. From log-ratio to reward takes one, from reward to the new "
        "policy the other.",
        (
            _table(lambda p, w, r, b, c: r + b * (p - w)),
            _table(lambda p, w, r, b, c: r + (p - w) / c),
            _in_probabilities(lambda p, w, r, b, c: r * (p / w) ** b),
        ),
        ("beta",),
    ),
    Mistake(
        "beta_inverse",
        "A β stands where its inverse belongs: reward is β *times* the log-ratio, and the new log-ratio is reward "
        "*over* β′.",
        (
            _table(lambda p, w, r, b, c: r + (p - w) / b),
            _table(lambda p, w, r, b, c: r + c * (p - w)),
            _table(lambda p, w, r, b, c: r + b * c * (p - w)),
            _table(lambda p, w, r, b, c: r + (p - w) / (b * c)),
        ),
        ("beta",),
    ),
    Mistake(
        "beta_on_all",
        "Your exponent β/β′ acts on the reference too. β scales the reward; π_ref stands as it is.",
        (
            _table(lambda p, w, r, b, c: b / c * (r + p - w)),
            _in_probabilities(lambda p, w, r, b, c: (r * p / w) ** (b / c)),
        ),
        ("beta",),
    ),
    Mistake(
        "beta_on_policy",
        "Your exponent β/β′ acts on the policy, or on the wrong reference, alone. The log-ratio as a whole is r/β.",
        (
            _table(lambda p, w, r, b, c: r + b / c * p - w),
            _table(lambda p, w, r, b, c: r + p - b / c * w),
            _in_probabilities(lambda p, w, r, b, c: r * p ** (b / c) / w),
        ),
        ("beta",),
    ),
    Mistake(
        "beta_on_right",
        "Your exponent stands at the new reference. β scales rewards; π_ref stands as it is.",
        (
            _table(lambda p, w, r, b, c: c / b * r + p - w),
            _table(lambda p, w, r, b, c: b / c * r + p - w),
            _in_probabilities(lambda p, w, r, b, c: r ** (b / c) * p / w),
        ),
        ("beta",),
    ),
    Mistake(
        "beta_on_references",
        "Your exponent acts on the exchange of one reference for the other, π_ref / ν. β scales rewards, and these are "
        "in what the policy says more often than ν.",
        (
            _table(lambda p, w, r, b, c: p + b / c * (r - w)),
            _table(lambda p, w, r, b, c: p + c / b * (r - w)),
            _in_probabilities(lambda p, w, r, b, c: p * (r / w) ** (b / c)),
        ),
        ("beta",),
    ),
    Mistake(
        "beta_difference",
        "Your exponent is a difference of the two β or of their inverses. A log-ratio is r/β: the same r at another β′ "
        "is found by a factor.",
        (
            _table(lambda p, w, r, b, c: r + p - w + (1 / c - 1 / b) * (p - w)),
            _table(lambda p, w, r, b, c: r + p - w + (b - c) * (p - w)),
        ),
        ("beta",),
    ),
    Mistake(
        "not_normalised",
        "Your rows do not sum to 1: the product has to be divided by its sum, Z.",
        (
            _table(_right_logits, lambda x: x),
            lambda p, w, r, b, c: (
                refuse_references(p, w, r, b, c)
                or r.log_softmax(-1) + b / c * (p.log_softmax(-1) - w.log_softmax(-1))
            ),
        ),
        ("swap",),
    ),
    Mistake(
        "batch",
        "You normalise over the whole table, or over the wrong axis. Each prompt, a row, has its own Z.",
        (
            _table(_right_logits, lambda x: x.log_softmax(0)),
            _table(_right_logits, lambda x: x - x.flatten().logsumexp(0)),
        ),
        ("prompts",),
    ),
    Mistake(
        "probabilities",
        "You return probabilities. Asked are their logarithms.",
        (
            _table(_right_logits, lambda x: x.softmax(-1)),
            _table(_right_logits, lambda x: (x - x.logsumexp(-1, keepdim=True)).exp()),
        ),
        ("swap",),
    ),
    Mistake(
        "shape",
        "Your shape is not that of the answer: a number for each reply of each prompt, (B, K). (One number for each "
        "prompt would be log Z.)",
        (
            _table(_right_logits, lambda x: x.logsumexp(-1)),
            _table(_right_logits, lambda x: x.log_softmax(-1).flatten()),
            _table(_right_logits, lambda x: x.log_softmax(-1).T),
            _table(_right_logits, lambda x: x.argmax(-1)),
        ),
        ("swap",),
    ),
    Mistake(
        "nan",
        "Right while every model says every reply. Where two of them never do, −∞ minus −∞ is NaN: "
        "settle these replies "
        "first.",
        (_naive, _naive_rewards),
        ("never_both",),
    ),
    Mistake(
        "floor",
        "A reply that π_ref never says, or that the policy has learned never to say, has probability 0 and logarithm "
        "−∞ in the result as well. Yours is finite: a floor stands there.",
        (_floored_references(-30.0), _floored_references(-100.0)),
        ("never_right",),
        fails=True,
    ),
    Mistake(
        "overflow",
        "Right where numbers are moderate, and not when log-ratios are large: exp overflows, or all "
        "weights round to 0. "
        "Stay with logarithms until the end.",
        (_through_probabilities, _product_of_powers),
        ("extreme",),
        overflows=True,
    ),
    Mistake(
        "no_refusal",
        "Something that has no answer goes through: β or β′ not above 0; a policy that says what its reference never "
        "says; a reply of π_ref's that the wrong reference never says, about which nothing was learned; or a prompt "
        "with no reply left. Raise ValueError.",
        (_unchecked_references, _half_checked_references),
        ("refuses",),
        fails=True,
    ),
)

# ---- 9c ------------------------------------------------------------------------------------


def _with(side: str, **entries) -> Callable:
    def changed() -> dict:
        answer = reference_examples()
        answer[side] = {**answer[side], **entries}
        return answer

    return changed


def _exchanged() -> dict:
    answer = reference_examples()
    return {"safe": answer["unsafe"], "unsafe": answer["safe"]}


def _exchanged_milder() -> dict:
    answer = _exchanged()
    return {**answer, "safe": {**answer["safe"], "wrong": [0.0427, 0.8573, 0.1]}}


MISTAKES_9C = (
    Mistake(
        "no_wrong",
        "ν is π_ref itself",
        (
            _with("safe", wrong=[0.3, 0.2, 0.5]),
            _with("safe", ref=[0.25] * 4, wrong=[0.25] * 4, rewards=[1, 0, 0, 0], pairs=[[0, 1]]),
        ),
        ("safe",),
    ),
    Mistake(
        "no_alarm",
        "smallest log-ratio",
        (_with("safe", wrong=[0.27, 0.18, 0.55]), _with("safe", wrong=[0.36, 0.24, 0.4])),
        ("safe",),
    ),
    Mistake(
        "teaches_nothing",
        "teaches nothing",
        (_with("safe", rewards=[0.0, 0.0, 0.0]), _with("safe", rewards=[0.1, 0.0, 0.0])),
        ("safe",),
    ),
    Mistake(
        "ends_elsewhere",
        "ends elsewhere",
        (
            _with("safe", wrong=[0.6, 0.1, 0.3]),
            _with("safe", wrong=[0.09, 0.06, 0.85], pairs=[[0, 1], [1, 2]]),
        ),
        ("safe",),
    ),
    Mistake(
        "gains",
        "*gains*",
        (_with("unsafe", wrong=[0.8, 0.1, 0.1]), _with("unsafe", rewards=[-1.0, 0.0, 0.0])),
        ("unsafe_costs",),
    ),
    Mistake(
        "costs_nothing",
        "ν costs nothing",
        (_with("unsafe", wrong=[0.45, 0.45, 0.1]), _with("unsafe", wrong=[0.2, 0.2, 0.6])),
        ("unsafe_costs",),
    ),
    Mistake(
        "costs_little",
        "gold; asked is 0.5",
        (_with("unsafe", wrong=[0.3, 0.6, 0.1]), _with("unsafe", rewards=[0.3, 0.0, 0.0])),
        ("unsafe_costs",),
    ),
    Mistake(
        "seen",
        "so anyone who looks at it is warned",
        (
            _with("unsafe", wrong=[0.0427, 0.8573, 0.1]),
            _with("unsafe", wrong=[0.0012, 0.8988, 0.1]),
        ),
        ("unsafe_silent",),
    ),
    Mistake(
        "exchanged",
        "in each other's place",
        (_exchanged, _exchanged_milder),
        ("safe", "unsafe_costs"),
    ),
)

# ---- 9d ------------------------------------------------------------------------------------

UPSIDE_DOWN = "Your score separates the runs, but upside down: larger must mean more likely wrong."


def _in_slices(of: Callable, run) -> list[float]:
    """Something of each slice; of: (log-ratios, by_policy) → number."""
    ratio, own = hidden_runs.ratios(run), run["by_policy"]
    return [of(ratio[s], own[s]) for s in (run["slices"] == k for k in np.unique(run["slices"]))]


def _right_sides(ratio, own) -> float:
    return float(np.mean((ratio > 0) == own))


def _correlation(ratio, own) -> float:
    return float(np.corrcoef(ratio, own)[0, 1])


def _moved_both_ways(ratio, own) -> float:
    return float(ratio[own].mean() - ratio[~own].mean())


def _lost(ratio, own) -> float:
    return float(np.logaddexp(0, np.where(own, -ratio, ratio)).mean())


def _slope_turned(ratio, own) -> float:
    """How much too steep the claims are, in standard errors, each claim of the other model."""
    claim = 1 / (1 + np.exp(ratio))
    spread = np.sqrt((ratio**2 * claim * (1 - claim)).sum())
    return float((-ratio * (claim - own)).sum() / spread)


def _level_turned(ratio, own) -> float:
    """Replies of the policy that are claimed above those that are there, in standard errors, claims turned."""
    claim = 1 / (1 + np.exp(ratio))
    return float((claim - own).sum() / np.sqrt((claim * (1 - claim)).sum()))


MISTAKES_9D = (
    Mistake(
        "moved",
        "Your score is how far the policy has moved, overall or in a slice. A run with the right reference may move "
        "far, and one with a wrong one little.",
        (
            hidden_runs.kl_of_policy,
            hidden_runs.kl_of_reference,
            hidden_runs.size_of_ratios,
            hidden_runs.largest_slice_kl,
            lambda run: max(_in_slices(_moved_both_ways, run)),
        ),
        ("separates",),
    ),
    Mistake(
        "whole",
        "Your score looks at all slices together. A reference that is wrong one way on one slice and the other way on "
        "the rest looks right on the whole.",
        (hidden_runs.overall_miss, hidden_runs.overall_mass),
        ("separates",),
    ),
    Mistake(
        "likelihood",
        "Your score changes with how likely replies are, to the policy or to the logged reference. That depends on the "
        "prompts: some leave little choice. Take log-ratios alone, and compare them with who really said what.",
        (
            hidden_runs.surprised_by_its_own,
            hidden_runs.prefers_the_policy,
            hidden_runs.most_surprised_slice,
        ),
        ("separates",),
    ),
    Mistake(
        "identity",
        "Your score averages ν/π over replies of the *policy*. That is 1 for every ν that sums to 1, "
        "right or wrong, up "
        "to chance: a test that cannot fail. Whose replies know the right reference?",
        (hidden_runs.mean_inverse_ratio, lambda run: 1 + hidden_runs.mean_inverse_ratio(run) ** 3),
        ("separates",),
    ),
    Mistake(
        "slice_means",
        "Your score is the mean log-ratio of a slice. Its size depends on how much the policy has learned there, which "
        "is no fault. Ask not how large the log-ratios are, but whether they are right: what do they predict?",
        (hidden_runs.largest_signed_slice_ratio, hidden_runs.largest_slice_kl_of_reference),
        ("separates",),
    ),
    Mistake(
        "own_replies",
        "Your score reads the log-ratios of the policy's replies only. What they claim about π_ref, its own replies "
        "would have to bear out.",
        (lambda run: float(hidden_runs.ratios(run)[run["by_policy"]].std()),),
        ("separates",),
    ),
    Mistake(
        "one_reply",
        "One reply decides your score, that with the largest log-ratio. It is large where much was learned, which is "
        "no fault, and one reply says little: do log-ratios predict who said what?",
        (
            lambda run: float(hidden_runs.ratios(run).max()),
            lambda run: float(hidden_runs.ratios(run)[run["by_policy"]].max()),
            lambda run: float(abs(hidden_runs.ratios(run)).max()),
        ),
        ("separates",),
    ),
    Mistake(
        "claim_turned",
        "In your score a reply with a *positive* log-ratio is claimed for the reference. Above 0, the policy says it "
        "more often.",
        (
            lambda run: max(_in_slices(_slope_turned, run)),
            lambda run: max(_in_slices(_level_turned, run)),
        ),
        ("separates",),
    ),
    Mistake(
        "counts",
        "No log-ratio enters your score: it counts replies. Twins have as many.",
        (
            lambda run: -float(np.bincount(run["slices"]).min()),
            lambda run: float(len(run["slices"])),
        ),
        ("separates",),
    ),
    Mistake(
        "accuracy",
        "Your score is how well log-ratios tell the two models apart. Models that differ little are hard "
        "to tell apart, "
        "with the right reference too: compare with how well they *claim* to.",
        (
            hidden_runs.told_apart,
            lambda run: -hidden_runs.told_apart(run),
            lambda run: -min(_in_slices(_right_sides, run)),
            lambda run: -min(_in_slices(_correlation, run)),
            lambda run: max(_in_slices(_lost, run)),
        ),
        ("separates",),
    ),
)

MISTAKES = {"9a": MISTAKES_9A, "9b": MISTAKES_9B, "9c": MISTAKES_9C, "9d": MISTAKES_9D}

NUMBERS_SHOWN = {  # in the failing input that the panel shows, where it is more than twelve
    "9a": 17,  # logits of three tokens and two words, and padding beside a reply
    "9b": 14,
}
