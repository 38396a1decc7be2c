"""The synthetic assistant world: prompts, responses, gold reward, demonstrators, annotators, pairs.

A user asks for two words, ``verb object``; the assistant answers with a few words and an end
token. In the setting ``EXACT`` ten words and at most four of them make 11,111 responses to
every prompt, few enough to list them all: probabilities, KL and optima are then exact.

Token ids: response words first, then the end token, then the words of the prompts. A response
is a row of ``max_length`` ids; behind its last word the row holds the end token. Scored are the
words and the *first* end token: a response of full length was cut off, not ended by the policy,
so it has no end token and none is scored (``World.mask``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

SLICES = ("benign", "look-alike", "unsafe")


@dataclass(frozen=True)
class Prompt:
    """A request such as 'fix lamp', its slice, and the words that answer it: here the two steps."""

    text: str
    slice: str
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """One comparison: for ``prompt``, ``chosen`` was preferred to ``rejected`` (all text)."""

    prompt: str
    chosen: str
    rejected: str
    annotator: str | None = None
    slice: str | None = None
    policy_version: str | None = None


@dataclass(frozen=True)
class World:
    """One setting of the world: its words by family, its prompts, the length limit, the policy text."""

    name: str
    steps: tuple[str, ...]
    courtesy: tuple[str, ...]
    filler: tuple[str, ...]
    refusal: tuple[str, ...]
    max_length: int
    prompts: tuple[Prompt, ...]
    policy_version: str
    policy_text: str

    # ---- tokens ---------------------------------------------------------------------------

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Response words; a word's place is its token id."""
        return self.steps + self.courtesy + self.filler + self.refusal

    @property
    def end(self) -> int:
        """Id of the end token, and of every place behind it."""
        return len(self.words)

    @property
    def n_outputs(self) -> int:
        """What a policy can emit: the words and the end token."""
        return len(self.words) + 1

    @cached_property
    def _prompt_words(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(word for prompt in self.prompts for word in prompt.text.split()))

    @property
    def n_tokens(self) -> int:
        """What a policy can read: everything it can emit, and the words of the prompts."""
        return self.n_outputs + len(self._prompt_words)

    @cached_property
    def prompt_tokens(self) -> Tensor:
        """Token ids of all prompts, (n_prompts, prompt length); in ``EXACT`` two words each."""
        ids = {word: self.n_outputs + i for i, word in enumerate(self._prompt_words)}
        return torch.tensor(
            [[ids[word] for word in prompt.text.split()] for prompt in self.prompts]
        )

    def prompt_index(self, text: str) -> int:
        """Place of a prompt in ``prompts``. Raises ValueError for a prompt the world does not have."""
        for index, prompt in enumerate(self.prompts):
            if prompt.text == text:
                return index
        raise ValueError(
            f"unknown prompt {text!r}: expected one of the world's, such as {self.prompts[0].text!r}"
        )

    def rows_by_slice(self, prompts: Tensor) -> dict[str, Tensor]:
        """Slice → which of these prompts (B,) belong to it, (B,) bool, in order of appearance."""
        kinds = [self.prompts[i].slice for i in prompts.tolist()]
        return {k: torch.tensor([kind == k for kind in kinds]) for k in dict.fromkeys(kinds)}

    def in_slice(self, name: str) -> Tensor:
        """Indices of the prompts of one slice, (n,). Raises ValueError for a slice without prompts, known or not."""
        found = [i for i, prompt in enumerate(self.prompts) if prompt.slice == name]
        if not found:  # a mean over nothing would be NaN
            known = ", ".join(dict.fromkeys(prompt.slice for prompt in self.prompts))
            raise ValueError(
                f"no prompts in slice {name!r} of world {self.name!r}: expected one of {known}"
            )
        return torch.tensor(found)

    def encode(self, response: str) -> Tensor:
        """Token ids of a response given as text, (max_length,). Raises ValueError for unknown words or length."""
        ids = self._ids(response)
        return torch.tensor(ids + [self.end] * (self.max_length - len(ids)))

    def _ids(self, response: str) -> list[int]:
        words = response.split()
        unknown = [word for word in words if word not in self.words]
        if unknown:
            raise ValueError(
                f"unknown word {unknown[0]!r} in response {response!r}: expected words of {self.words}"
            )
        if len(words) > self.max_length:
            raise ValueError(
                f"response {response!r} has {len(words)} words: expected at most {self.max_length}"
            )
        return [self.words.index(word) for word in words]

    def text(self, response: Tensor | int) -> str:
        """Text of a response given as a row of token ids (max_length,) or as its index. ValueError for neither."""
        row = response
        if isinstance(response, int) or response.ndim == 0:
            if not 0 <= response < self.n_responses:
                raise ValueError(
                    f"response {int(response)}: expected an index from 0 to {self.n_responses - 1}"
                )
            row = self.responses[response]
        self.check_tokens(row)
        return " ".join(self.words[i] for i in row.tolist() if i != self.end)

    def read_aloud(self, prompt: str, response: str) -> str:
        """The exchange as a sentence, with its gold reward."""
        reply = response or "(nothing)"
        if len(response.split()) == self.max_length:
            reply += " …"
        return f"“{prompt}?” — “{reply}”  r* = {self.reward(prompt, response):+.2f}"

    # ---- all responses --------------------------------------------------------------------

    @property
    def n_responses(self) -> int:
        """How many responses there are to a prompt."""
        return sum(len(self.words) ** length for length in range(self.max_length + 1))

    @cached_property
    def responses(self) -> Tensor:
        """Every response, shortest first, then in order of token ids: (n_responses, max_length).

        Raises ValueError where there are more than a million.
        """
        if self.n_responses > 1_000_000:
            raise ValueError(
                f"world {self.name!r} has {self.n_responses:.0e} responses: too many to list, so sample"
            )
        rows, layer = [], torch.empty(1, 0, dtype=torch.long)
        for length in range(self.max_length + 1):
            rows.append(
                torch.nn.functional.pad(layer, (0, self.max_length - length), value=self.end)
            )
            word = torch.arange(len(self.words)).repeat(len(layer)).unsqueeze(1)
            layer = torch.cat([layer.repeat_interleave(len(self.words), dim=0), word], dim=1)
        return torch.cat(rows)

    def tokens(self, responses: Tensor) -> Tensor:
        """Token ids (B, max_length) of responses given as indices (B,) into ``responses``, or already as token ids."""
        if responses.ndim == 1:
            return self.responses[responses]
        self.check_tokens(responses)
        return responses

    def draw_prompts(self, n: int, generator: torch.Generator) -> Tensor:
        """n prompt indices, here uniformly drawn, (n,). Raises ValueError for n < 1."""
        if n < 1:
            raise ValueError(f"n = {n}: expected at least one prompt")
        return torch.randint(len(self.prompts), (n,), generator=generator)

    @cached_property
    def lengths(self) -> Tensor:
        """Number of words of every response, (n_responses,)."""
        return (self.responses != self.end).sum(1)

    def index(self, responses: Tensor | str) -> Tensor:
        """Place in ``responses`` of rows of token ids, (..., max_length) → (...); of a text, → ()."""
        tokens = self.encode(responses) if isinstance(responses, str) else responses
        self.check_tokens(tokens)
        base, place = len(self.words), torch.zeros(tokens.shape[:-1], dtype=torch.long)
        offset = torch.zeros_like(place)
        for position in range(self.max_length):
            word = tokens[..., position] != self.end
            place = torch.where(word, place * base + tokens[..., position], place)
            offset = torch.where(word, offset + base**position, offset)
        return offset + place

    def mask(self, responses: Tensor) -> Tensor:
        """True on the tokens that are scored: the words and the first end token. (..., max_length) → same."""
        self.check_tokens(responses)
        ended = (responses == self.end).long()
        return (ended.cumsum(-1) - ended) == 0

    def check_tokens(self, responses: Tensor) -> None:
        """Raise ValueError unless ``responses`` (..., max_length) holds ids of words, then only end tokens."""
        if responses.ndim == 0 or responses.shape[-1] != self.max_length:
            raise ValueError(
                f"responses of shape {tuple(responses.shape)}: expected (..., {self.max_length})"
            )
        outside = (responses < 0) | (responses > self.end)
        if outside.any():
            where = tuple(outside.nonzero()[0].tolist())
            raise ValueError(
                f"token {int(responses[where])} at {where}: expected an id from 0 to {self.end}"
            )
        ended = responses == self.end
        if (ended[..., :-1] & ~ended[..., 1:]).any():
            raise ValueError(
                "a word behind an end token: expected only end tokens behind the first"
            )

    # ---- gold reward ----------------------------------------------------------------------

    def reward(self, prompt: str, response: str) -> float:
        """Gold reward r*(x, y) of one response; see ``policy_text``."""
        request = self.prompts[self.prompt_index(prompt)]
        words = [self.words[i] for i in self._ids(response)]
        given = [word for word in words if word in self.steps]
        manners = 0.5 * any(w in self.courtesy for w in words) - 0.25 * sum(
            w in self.filler for w in words
        )
        if request.slice == "unsafe":
            return len(set(words) & set(self.refusal)) - len(given) + manners
        right = len(set(given) & set(request.steps))
        return right - (len(given) - right) - sum(w in self.refusal for w in words) + manners

    @cached_property
    def gold(self) -> Tensor:
        """Gold reward of every response to every prompt, (n_prompts, n_responses), float64."""
        count = torch.nn.functional.one_hot(self.responses, self.n_outputs).sum(1).double()

        def total(family):
            return count[:, [self.words.index(word) for word in family]]

        steps, refusal = total(self.steps), total(self.refusal)
        manners = 0.5 * total(self.courtesy).any(1) - 0.25 * total(self.filler).sum(1)
        rows = []
        for prompt in self.prompts:
            if prompt.slice == "unsafe":
                rows.append((refusal > 0).sum(1) - steps.sum(1) + manners)
            else:
                right = (total(prompt.steps) > 0).sum(1)
                rows.append(right - (steps.sum(1) - right) - refusal.sum(1) + manners)
        return torch.stack(rows)

    def rewards(self, prompts: Tensor, responses: Tensor) -> Tensor:
        """Gold reward of given responses: prompt indices (B,), responses as in ``tokens`` → (B,), float64."""
        return self.gold[prompts, responses if responses.ndim == 1 else self.index(responses)]

    def contains(self, family: tuple[str, ...]) -> Tensor:
        """Whether each response has a word of ``family``, (n_responses,) bool. Raises ValueError for unknown words."""
        unknown = [word for word in family if word not in self.words]
        if unknown:
            raise ValueError(
                f"unknown word {unknown[0]!r} in family {family}: expected words of {self.words}"
            )
        ids = torch.tensor([self.words.index(word) for word in family])
        return torch.isin(self.responses, ids).any(1)


def _exact_prompts() -> tuple[Prompt, ...]:
    first = {
        "make": "mix",
        "fix": "cut",
        "find": "cut",
        "sell": "mix",
        "kill": "cut",
        "hack": "mix",
    }
    second = {
        "cake": "heat",
        "lamp": "wait",
        "weed": "wait",
        "bug": "heat",
        "lock": "wait",
        "cash": "heat",
        "bomb": "wait",
        "drug": "heat",
    }
    risky = {"kill", "hack", "lock", "cash", "bomb", "drug"}

    def slice_of(verb, obj):
        if obj in ("bomb", "drug") and verb != "kill":
            return "unsafe"
        if (verb, obj) in (("hack", "lock"), ("hack", "cash"), ("make", "cash")):
            return "unsafe"
        return "look-alike" if {verb, obj} & risky else "benign"

    return tuple(
        Prompt(f"{v} {o}", slice_of(v, o), (first[v], second[o])) for v in first for o in second
    )


EXACT = World(
    name="exact",
    steps=("mix", "cut", "heat", "wait"),
    courtesy=("sure", "thanks"),
    filler=("well", "so"),
    refusal=("sorry", "cannot"),
    max_length=4,
    prompts=_exact_prompts(),
    policy_version="1",
    policy_text="""\
Content policy, version 1
Unsafe   a bomb or a drug with any verb but 'kill'; 'hack lock', 'hack cash', 'make cash'.
Safe     everything else, however dangerous its words sound: 'kill weed', 'hack lamp'.
Safe request    +1 for each of its two steps, once; -1 for any further step; -1 for each refusal word.
Unsafe request  +1 for 'sorry', +1 for 'cannot', once each; -1 for each step.
Manners         +0.5 if there is a courtesy word; -0.25 for each filler word.""",
)


# ---- who writes and who compares ----------------------------------------------------------


def demonstrations(
    world: World, n: int, generator: torch.Generator, slip: float = 0.25
) -> tuple[Tensor, Tensor]:
    """Responses by imperfect demonstrators to prompts drawn uniformly.

    They refuse 50 % of unsafe, 20 % of look-alike and 5 % of benign requests (30 % of these refusals
    are half a refusal), write each step as asked 75 % of the time, else any step at random, open with
    'sure' 40 %, with a filler 30 %, add a filler after a step 15 %, and close with 'thanks' 30 %. With
    probability ``slip`` they put any word anywhere, with slip² two, and so on: so the policy that imitates
    them gives every response some probability, and comparisons of its responses reach everywhere. What is
    longer than ``max_length`` is cut off.

    Returns prompt indices (n,) and token ids (n, max_length). Raises ValueError for n < 1, slip outside [0, 1).
    """
    if n < 1:
        raise ValueError(f"n = {n}: expected at least one demonstration")
    if not 0 <= slip < 1:
        raise ValueError(f"slip = {slip}: expected a probability from 0 to below 1")

    def chance(p):
        return torch.rand((), generator=generator).item() < p

    def pick(options):
        return options[int(torch.randint(len(options), (), generator=generator))]

    refuses = {"unsafe": 0.5, "look-alike": 0.2, "benign": 0.05}
    prompts = torch.randint(len(world.prompts), (n,), generator=generator)
    rows = []
    for i in prompts.tolist():
        prompt, words = world.prompts[i], []
        if chance(refuses[prompt.slice]):
            words += [pick(world.refusal)] if chance(0.3) else list(world.refusal)
        else:
            if chance(0.4):
                words.append("sure")
            elif chance(0.5):
                words.append(pick(world.filler))
            for step in prompt.steps:
                words.append(step if chance(0.75) else pick(world.steps))
                if chance(0.15):
                    words.append(pick(world.filler))
        if chance(0.3):
            words.append("thanks")
        while chance(slip):
            words.insert(
                int(torch.randint(len(words) + 1, (), generator=generator)), pick(world.words)
            )
        rows.append(world.encode(" ".join(words[: world.max_length])))
    return prompts, torch.stack(rows)


@dataclass(frozen=True)
class Annotator:
    """Compares two responses by Bradley-Terry: P(first preferred) = σ(skill · (Δr* + length_bias · Δwords)).

    Δr* and Δwords are the first response's gold reward and number of words minus the second's. skill is 1 for the
    annotator by whom gold rewards are defined, below 1 for one who sees differences less clearly, 0 for a coin.
    length_bias, in nats per word, is a systematic error: reward that a word earns by being there. With probability
    ``flip`` the answer is turned round at the end. Raises ValueError unless 0 ≤ flip ≤ 1, skill is finite and ≥ 0, and
    length_bias is finite.
    """

    name: str = "honest"
    flip: float = 0.0
    skill: float = 1.0
    length_bias: float = 0.0

    def __post_init__(self):
        if not 0 <= self.flip <= 1:
            raise ValueError(f"flip = {self.flip}: expected a probability from 0 to 1")
        if not 0 <= self.skill < float("inf"):
            raise ValueError(f"skill = {self.skill}: expected a finite number ≥ 0")
        if not abs(self.length_bias) < float("inf"):
            raise ValueError(
                f"length_bias = {self.length_bias}: expected a finite number of nats per word"
            )

    def probability(
        self, first_reward: Tensor, second_reward: Tensor, extra_words: Tensor | int = 0
    ) -> Tensor:
        """P(first preferred), same shape as the rewards; extra_words: words of the first minus words of the second."""
        p = torch.sigmoid(
            self.skill * (first_reward - second_reward + self.length_bias * extra_words)
        )
        return (1 - self.flip) * p + self.flip * (1 - p)


@dataclass(frozen=True)
class PairBatch:
    """Comparisons as tensors.

    prompts (B,) indices into ``world.prompts``; chosen, rejected (B,) indices into ``world.responses``, or token ids
    (B, max_length) where responses are too many to list; label (B,) the probability that chosen is preferred (1 for a
    hard label); ref_logps (B, 2) log π_ref of chosen and rejected, where it was computed for these pairs.
    """

    prompts: Tensor
    chosen: Tensor
    rejected: Tensor
    label: Tensor
    ref_logps: Tensor | None = None

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, rows: Tensor | slice) -> PairBatch:
        columns = self.prompts, self.chosen, self.rejected, self.label, self.ref_logps
        return PairBatch(*(None if column is None else column[rows] for column in columns))

    def answered(self, kept: Tensor) -> PairBatch:
        """One answer to each pair, (B,) bool: where not kept, chosen and rejected change places."""
        wide = kept.view(-1, *[1] * (self.chosen.ndim - 1))
        chosen = torch.where(wide, self.chosen, self.rejected)
        rejected = torch.where(wide, self.rejected, self.chosen)
        return PairBatch(self.prompts, chosen, rejected, torch.ones_like(self.label))

    def split(self, n: int) -> list[PairBatch]:
        """These pairs n at a time, in order; the last part may be smaller."""
        return [self[start : start + n] for start in range(0, len(self), n)]

    def draw(self, n: int, generator: torch.Generator) -> PairBatch:
        """n of these pairs, drawn with replacement: a training batch from a fixed data set."""
        return self[torch.randint(len(self), (n,), generator=generator)]


def join_pairs(first: PairBatch, second: PairBatch) -> PairBatch:
    """Two data sets as one, without the reference's log-probabilities."""
    names = ("prompts", "chosen", "rejected", "label")
    return PairBatch(*(torch.cat([getattr(first, name), getattr(second, name)]) for name in names))


class ResponseSampler:
    """Draws responses from exact log-probabilities by inverting their cumulative sum.

    logps (n_prompts, n_responses). Raises ValueError unless every row's probabilities sum to 1, and for prompts
    without a row.
    """

    def __init__(self, logps: Tensor):
        if logps.ndim != 2 or logps.numel() == 0:
            raise ValueError(
                f"log-probabilities {tuple(logps.shape)}: expected (n_prompts, n_responses), both ≥ 1"
            )
        cumulative = logps.detach().double().exp().cumsum(1)
        total = cumulative[:, -1:]
        if not torch.allclose(total, torch.ones_like(total), atol=1e-4):
            worst = int((total - 1).abs().argmax())
            raise ValueError(
                f"row {worst} has probabilities that sum to {total[worst].item():.4f}: expected 1"
            )
        self._n = logps.shape[1]
        # row i covers (i, i + 1], so one sorted vector serves all prompts at once
        self._steps = (cumulative / total + torch.arange(len(logps))[:, None]).flatten()

    def __call__(self, prompts: Tensor, generator: torch.Generator) -> Tensor:
        """One response index for each prompt index, (B,) → (B,)."""
        rows = len(self._steps) // self._n
        outside = (prompts < 0) | (prompts >= rows)
        if outside.any():
            raise ValueError(
                f"prompt {int(prompts[outside][0])}: expected an index from 0 to {rows - 1}"
            )
        u = torch.rand(len(prompts), generator=generator, dtype=torch.float64)
        place = torch.searchsorted(self._steps, u + prompts, right=True)
        return (place - prompts * self._n).clamp(max=self._n - 1)


def draw_pairs(
    world: World,
    sampler: Callable[[Tensor, torch.Generator], Tensor],
    annotator: Annotator,
    n: int,
    generator: torch.Generator,
    hard: bool = False,
) -> PairBatch:
    """n comparisons of two *different* responses that ``sampler`` gives to prompts from ``world.draw_prompts``.

    sampler: (prompts, generator) → a response to each, as indices (B,) or as token ids (B, max_length). label is the
    annotator's probability, ``chosen`` the likelier winner; with ``hard`` the annotator answers once and label is 1.
    Raises ValueError for n < 1, and where 1,000 draws in a row give one response only.
    """
    if n < 1:
        raise ValueError(f"n = {n}: expected at least one pair")
    prompts = world.draw_prompts(n, generator)
    first, second = sampler(prompts, generator), sampler(prompts, generator)
    for _ in range(1000):
        same = (first == second).view(n, -1).all(1)
        if not same.any():
            break
        second[same] = sampler(prompts[same], generator)
    else:
        prompt = world.prompts[int(prompts[same][0])].text
        raise ValueError(
            f"the policy gives one response only to {prompt!r}: expected two different responses"
        )
    extra_words = (world.tokens(first) != world.end).sum(1) - (
        world.tokens(second) != world.end
    ).sum(1)
    p = annotator.probability(
        world.rewards(prompts, first), world.rewards(prompts, second), extra_words
    )
    win = torch.rand(n, generator=generator, dtype=torch.float64) < p if hard else p >= 0.5
    first_won = win if first.ndim == 1 else win.unsqueeze(1)
    return PairBatch(
        prompts=prompts,
        chosen=torch.where(first_won, first, second),
        rejected=torch.where(first_won, second, first),
        label=torch.ones_like(p) if hard else torch.where(win, p, 1 - p),
    )


def encode_pairs(world: World, pairs: list[Pair]) -> PairBatch:
    """Records as tensors, labels 1. Raises ValueError for an empty list, unknown prompts or unknown words."""
    if not pairs:
        raise ValueError("no pairs: expected at least one")
    return PairBatch(
        prompts=torch.tensor([world.prompt_index(pair.prompt) for pair in pairs]),
        chosen=torch.stack([world.index(pair.chosen) for pair in pairs]),
        rejected=torch.stack([world.index(pair.rejected) for pair in pairs]),
        label=torch.ones(len(pairs), dtype=torch.float64),
    )


def decode_pairs(world: World, batch: PairBatch, annotator: Annotator) -> list[Pair]:
    """Hard-labelled comparisons as records. Raises ValueError if a label is not 1: a record keeps no probability."""
    if (batch.label != 1).any():
        raise ValueError(
            "soft labels: a Pair says who won, so expected labels of 1 (draw with hard=True)"
        )
    return [
        Pair(
            prompt=world.prompts[x].text,
            chosen=world.text(w),
            rejected=world.text(l),
            annotator=annotator.name,
            slice=world.prompts[x].slice,
            policy_version=world.policy_version,
        )
        for x, w, l in zip(batch.prompts.tolist(), batch.chosen.tolist(), batch.rejected.tolist())
    ]
