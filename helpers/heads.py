"""Heads of other sizes, for the comparison of masks in section 4.1.

A policy's head emits response tokens only. To be trained on requests too it needs a row for every
token; to answer, it is cut back to its own rows.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from helpers.gpt import TinyGPT

LOW = -8.0  # bias of a new row: nearly no probability


def with_outputs(policy: TinyGPT, n_outputs: int) -> TinyGPT:
    """A copy whose head has the first ``n_outputs`` rows; new rows are zero, with a low bias.

    Raises ValueError unless n_outputs is from 1 to the number of tokens.
    """
    if not 1 <= n_outputs <= policy.config.n_tokens:
        raise ValueError(
            f"n_outputs = {n_outputs}: expected 1 to {policy.config.n_tokens}, the tokens"
        )
    model, extra = copy.deepcopy(policy), n_outputs - policy.config.n_outputs
    model.config = replace(policy.config, n_outputs=n_outputs)
    model.head = torch.nn.utils.skip_init(torch.nn.Linear, policy.config.width, n_outputs)
    model.head.weight.data = pad(policy.head.weight.data, (0, 0, 0, extra))
    model.head.bias.data = pad(policy.head.bias.data, (0, extra), value=LOW)
    return model


def warmed(policy: TinyGPT, rows: Tensor, scored: Tensor, known: int, steps: int = 100) -> TinyGPT:
    """A copy whose head rows from ``known`` on have learnt to predict; all other weights stay.

    rows (B, T) token ids; scored (B, T) bool, the tokens to be predicted from those before them.
    Full-batch AdamW on the mean −log p, learning rate 0.03. Raises ValueError for shapes that
    differ and for known ≥ the number of rows.
    """
    if rows.shape != scored.shape or rows.ndim != 2:
        raise ValueError(
            f"rows {tuple(rows.shape)}, scored {tuple(scored.shape)}: expected one shape (B, T)"
        )
    if known >= policy.config.n_outputs:
        raise ValueError(f"known = {known}: expected fewer than {policy.config.n_outputs} rows")
    model = copy.deepcopy(policy)
    model.head = torch.nn.Identity()  # what the head would read
    with torch.no_grad():
        read = model(rows[:, :-1])[scored[:, 1:]]
    model.head = copy.deepcopy(policy.head)
    optimizer = torch.optim.AdamW(model.head.parameters(), lr=0.03, weight_decay=0.0)
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(model.head(read), rows[:, 1:][scored[:, 1:]]).backward()
        for parameter in model.head.parameters():
            parameter.grad[:known] = 0.0
        optimizer.step()
    return model
