"""Exercise 4, DPO as direct training: right answers written otherwise than the reference."""

from __future__ import annotations

import numpy as np
import torch


def rewards_numpy_loop(policy_logits, ref_logits, tokens, mask, beta):
    """Row by row, token by token, scipy's formula for log-softmax."""
    found = []
    for b in range(len(tokens)):
        total = 0.0
        for t in np.flatnonzero(mask[b]):
            for sign, logits in ((1, policy_logits), (-1, ref_logits)):
                row = logits[b, t - 1].astype(np.float64)
                total += sign * (
                    row[tokens[b, t]] - row.max() - np.log(np.exp(row - row.max()).sum())
                )
        found.append(beta * total)
    return found  # a list of floats


def rewards_cross_entropy(policy_logits, ref_logits, tokens, mask, beta):
    """By torch's cross-entropy, ignoring masked targets."""
    targets = tokens.masked_fill(~mask, -100)[:, 1:]

    def nll(logits):
        return torch.nn.functional.cross_entropy(
            logits[:, :-1].transpose(1, 2), targets, reduction="none"
        ).sum(1)

    return beta * (nll(ref_logits) - nll(policy_logits))


def rewards_float32(policy_logits, ref_logits, tokens, mask, beta):
    """Everything in single precision, picked by one-hot products."""
    one_hot = torch.nn.functional.one_hot(tokens, policy_logits.shape[-1])[:, 1:].float()
    ratio = policy_logits.float()[:, :-1].log_softmax(-1) - ref_logits.float()[:, :-1].log_softmax(
        -1
    )
    return beta * (ratio.mul(one_hot).sum(-1) * mask[:, 1:]).sum(1)


def loss_numpy_loop(policy_logps, ref_logps, beta):
    """A plain double loop on arrays; returns a Python float."""
    total = 0.0
    for policy, ref in zip(policy_logps, ref_logps):
        scores = beta * (policy.astype(float) - ref)
        for k in range(len(scores) - 1):
            total += np.logaddexp.reduce(scores[k:]) - scores[k]
    return float(total / len(policy_logps))


def loss_torch_loop(policy_logps, ref_logps, beta):
    """Log-softmax of what remains, place by place, in a list."""
    rewards = beta * (policy_logps - ref_logps.clone().detach())
    picks = [rewards[:, k:].log_softmax(dim=1)[:, 0] for k in range(rewards.shape[1] - 1)]
    return -torch.stack(picks, dim=1).sum(dim=1).mean(dim=0)


def loss_float32(policy_logps, ref_logps, beta):
    """The last factor kept (its logarithm is 0), single precision, the reference under no_grad."""
    with torch.no_grad():
        ref = ref_logps.float() * 1
    scores = (beta * (policy_logps.float() - ref)).flip(-1)
    return (torch.logcumsumexp(scores, -1) - scores).sum() / len(scores)


def scores_bradley_terry(run):
    """Qualities by a regularised Bradley-Terry fit on tensors; returns a tensor of one element."""
    n = 1 + max(
        int(run[ids].max()) for ids in ("chosen", "rejected", "ref_samples", "policy_samples")
    )
    q = torch.zeros(n, dtype=torch.float64)
    chosen, rejected = torch.as_tensor(run["chosen"]), torch.as_tensor(run["rejected"])
    for _ in range(300):
        surprise = torch.sigmoid(q[rejected] - q[chosen])
        q = q + 0.01 * (
            torch.zeros_like(q).index_add(0, chosen, surprise).index_add(0, rejected, -surprise)
            - 0.3 * q
        )
    return (
        q[torch.as_tensor(run["ref_samples"])].mean()
        - q[torch.as_tensor(run["policy_samples"])].mean()
    )[None]


def losing_rate_of_the_policy(run):
    """The policy's samples only: pairs are the reference's, whose samples win half of them whatever happens."""
    won, lost = (np.bincount(run[which], minlength=64) for which in ("chosen", "rejected"))
    return ((lost + 1) / (won + lost + 2))[run["policy_samples"]].mean()


def other_examples():
    """Ten random responses, tensors and numpy integers, a start of one's own."""
    rng = np.random.default_rng(0)
    features = 0.3 * rng.normal(size=(10, 4))
    features[3], features[7] = [1.0, 0.5, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0]
    features[5] = [6.0, 0.0, 0.0, 0.0]
    unsafe = {
        "features": torch.tensor(features),
        "chosen": np.int64(3),
        "rejected": 7,
        "harmful": torch.tensor(5),
    }
    safe = {"features": features[:5].tolist(), "chosen": 3, "rejected": 0, "start": np.full(4, 0.1)}
    return {"safe": safe, "unsafe": unsafe}


RIGHT = {
    "4a": (rewards_numpy_loop, rewards_cross_entropy, rewards_float32),
    "4b": (loss_numpy_loop, loss_torch_loop, loss_float32),
    "4c": (other_examples,),
    "4d": (scores_bradley_terry, losing_rate_of_the_policy),
}
