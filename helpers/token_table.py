"""A policy as a table of logits, a row for each state: gradients and their noise without samples.

One request of the exact world has 1,111 *states*, the beginnings of replies with 0 to 3 words, and
11,111 replies of at most 4 tokens. What is given per token has shape (11111, 4), rows in the order
of ``EXACT.responses``, and is 0 outside the mask. Float64 throughout.
"""

from __future__ import annotations

import torch
from torch import Tensor

from helpers.gpt import ValueModel
from helpers.lesson import by_prefix
from helpers.world import EXACT


class TokenTable:
    """All replies to one request under a policy, given as log π of every reply, (11111,).

    p: their probabilities (11111,); mask (11111, 4), true on their tokens; last: place of the last
    token, (11111,); state (11111, 4): which of the 1,111 states each token was chosen in; logits
    (1111, 11), the parameters. Raises ValueError for another shape and for log-probabilities that
    do not sum to 1.
    """

    def __init__(self, logps: Tensor):
        logps = logps.detach().double()
        if logps.shape != (EXACT.n_responses,) or abs(logps.logsumexp(0)) > 1e-6:
            raise ValueError(
                f"logps {tuple(logps.shape)}: expected those of all {EXACT.n_responses} replies, "
                "summing to 1"
            )
        self.p, self.reply = logps.exp(), EXACT.responses
        self.mask = EXACT.mask(self.reply)
        self.last = self.mask.sum(1) - 1
        begun = [self.reply.masked_fill(torch.arange(4) >= t, EXACT.end) for t in range(4)]
        self.state = torch.stack([EXACT.index(words) for words in begun], dim=1)
        self.logits = torch.cat(by_prefix(logps)[1]).requires_grad_()
        self._given = self._chosen(self.logits.log_softmax(-1))

    def _chosen(self, next_logps: Tensor) -> Tensor:
        return next_logps[self.state, self.reply].masked_fill(~self.mask, 0.0)

    def token_logps(self, logps: Tensor) -> Tensor:
        """log π(y_t | h_t) of any policy, from its log π of every reply, (11111,) → (11111, 4)."""
        return self._chosen(torch.cat(by_prefix(logps)[1]))

    def at_end(self, rewards: Tensor) -> Tensor:
        """What each token earns if a reply's reward (11111,) is paid at its last, (11111, 4)."""
        earned = torch.zeros(self.mask.shape, dtype=torch.float64)
        earned[torch.arange(len(earned)), self.last] = rewards.double()
        return earned

    def to_come(self, earned: Tensor) -> Tensor:
        """The return G_t = r_t + r_{t+1} + …, (11111, 4)."""
        return earned.flip(1).cumsum(1).flip(1) * self.mask

    def values(self, earned: Tensor) -> Tensor:
        """V(h_t), the mean return of all replies that pass the state, (11111, 4)."""
        w = self.p.unsqueeze(1) * self.mask
        total, passing = (
            torch.zeros(len(self.logits), dtype=torch.float64).index_add(
                0, self.state[self.mask], part[self.mask]
            )
            for part in (w * self.to_come(earned), w)
        )
        return (total / passing)[self.state] * self.mask

    @torch.no_grad()
    def of_critic(self, critic: ValueModel, prompt: Tensor) -> Tensor:
        """What a value model says before each token, (11111, 4); prompt: its tokens, (P,)."""
        longest = torch.arange(1111 - 1000, 1111)  # the replies of three words pass all states
        said = critic(prompt.expand(len(longest), -1), self.reply[longest])
        of_state = torch.zeros(len(self.logits), dtype=torch.float64)
        of_state[self.state[longest]] = said.double()
        return of_state[self.state] * self.mask

    def learn(
        self,
        critic: ValueModel,
        prompt: Tensor,
        returns: Tensor,
        n: int,
        steps: int,
        generator: torch.Generator,
    ) -> Tensor:
        """Train a critic on n replies of the policy; return its values for all, (11111, 4).

        Adam steps on ½ · mean over the tokens of (V(h_t) − G_t)²; returns G: (11111, 4); prompt:
        (P,). Raises ValueError for n or steps < 1.
        """
        if min(n, steps) < 1:
            raise ValueError(f"n = {n}, steps = {steps}: expected at least one reply and one step")
        drawn = torch.multinomial(self.p, n, replacement=True, generator=generator)
        mask, target = self.mask[drawn], returns[drawn].float()
        optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3)
        for _ in range(steps):
            loss = (
                0.5
                * (critic(prompt.expand(n, -1), self.reply[drawn]) - target)[mask].square().mean()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return self.of_critic(critic, prompt)

    def length(self) -> Tensor:
        """Expected length of a reply in tokens, a scalar with the graph of ``logits``."""
        return (self._given.sum(1).exp() * self.mask.sum(1)).sum()

    def gradient(self, weights: Tensor) -> Tensor:
        """Σ_y π(y) Σ_t weight · ∇ log π(y_t | h_t): weights (11111, 4) → (1111, 11)."""
        total = (self.p.unsqueeze(1) * weights * self._given).sum()
        return torch.autograd.grad(total, self.logits, retain_graph=True)[0]

    def noise(self, weights: Tensor) -> float:
        """Root mean square distance of one reply's gradient from ``gradient``, the mean.

        A reply passes a state at most once, so the squared length of its gradient is the sum of its
        tokens' squares.
        """
        pi = self.logits.detach().softmax(-1)
        square = 1 - 2 * pi[self.state, self.reply] + pi.square().sum(1)[self.state]  # ‖e_y − π‖²
        length = (self.p * (weights.square() * square * self.mask).sum(1)).sum()
        return (length - self.gradient(weights).norm() ** 2).sqrt().item()
