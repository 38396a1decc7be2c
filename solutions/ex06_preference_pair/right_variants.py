"""Exercise 6, preference pair: right answers written otherwise than the reference."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import torch

from helpers.pairs import normal_words, similarity, strong_components
from solutions.ex06_preference_pair import answers, hidden_runs

# ---- 6a ------------------------------------------------------------------------------------


def pair_in_an_array(chosen, rejected):
    """The three texts in a NumPy array."""
    return np.array(pair_by_pattern(chosen, rejected), dtype=object)


def pair_by_pattern(chosen, rejected):
    """A regular expression that finds where turns begin; a list."""
    sides = []
    for text in (chosen, rejected):
        turns = list(re.finditer(r"\n\n(Human|Assistant):", text))
        if not turns or turns[-1].group(1) != "Assistant":
            raise ValueError("no reply")
        sides.append((text[: turns[-1].end()], text[turns[-1].end() :]))
    if sides[0][0] != sides[1][0]:
        raise ValueError("two prompts")
    return [sides[0][0], sides[0][1], sides[1][1]]


def pair_by_parts(chosen, rejected):
    """str methods only: the last part must be free of the other speaker."""
    before, mark, y_w = chosen.rpartition("\n\nAssistant:")
    other, second, y_l = rejected.rpartition("\n\nAssistant:")
    if not mark or not second or "\n\nHuman:" in y_w or "\n\nHuman:" in y_l:
        raise ValueError("no reply at the end")
    if before + mark != other + second:
        raise ValueError("another context")
    return before + mark, y_w, y_l


# ---- 6b ------------------------------------------------------------------------------------


def _link(a, b, near):
    short, long = sorted((a, b), key=len)
    if [normal_words(t) for t in short] == [normal_words(t) for t in long[: len(short)]]:
        return True
    one, two = Counter(normal_words(" ".join(a))), Counter(normal_words(" ".join(b)))
    common, either = (one & two).total(), (one | two).total()
    return not either or common / either >= near


def _refuse(prompts, near):
    if near <= 0 or near > 1 or any(len(turns) == 0 for turns in prompts):
        raise ValueError("outside the domain")


def groups_by_walk(prompts, near):
    """A walk along links from every prompt that no walk has reached; a tensor."""
    _refuse(prompts, near)
    label = [-1] * len(prompts)
    for start in range(len(prompts)):
        todo = [start] if label[start] < 0 else []
        while todo:
            here = todo.pop()
            label[here] = start
            todo += [
                k
                for k in range(len(prompts))
                if label[k] < 0 and _link(prompts[here], prompts[k], near)
            ]
    return torch.tensor(label, dtype=torch.float32)


def groups_by_powers(prompts, near):
    """numpy: powers of the table of links; the first prompt that each one reaches."""
    _refuse(prompts, near)
    table = np.array([[_link(a, b, near) for b in prompts] for a in prompts])
    for _ in prompts:
        table = (table.astype(int) @ table.astype(int)) > 0
    return table.argmax(1) + 7


def groups_by_components(prompts, near):
    """The lesson's components of a directed graph, with every link in both directions."""
    _refuse(prompts, near)
    n = len(prompts)
    edges = [
        (i, j) for i in range(n) for j in range(n) if answers.linked(prompts[i], prompts[j], near)
    ]
    found = {i: k for k, part in enumerate(strong_components(edges, n)) for i in part}
    return tuple(-found[i] for i in range(n))


def groups_by_roots(prompts, near):
    """A forest in which every prompt points towards the first of its group."""
    _refuse(prompts, near)
    parent = list(range(len(prompts)))

    def root(k):
        while parent[k] != k:
            k = parent[k]
        return k

    for j, b in enumerate(prompts):
        for i in range(j):
            a = prompts[i]
            n = min(len(a), len(b))
            same = tuple(map(normal_words, a[:n])) == tuple(map(normal_words, b[:n]))
            if same or similarity(" ".join(a), " ".join(b)) >= near:
                parent[root(j)] = root(i)
    return np.array([root(k) for k in range(len(prompts))], dtype=np.int8)


# ---- 6c ------------------------------------------------------------------------------------


def balanced_tails() -> dict:
    """Safe: what is lost helps each side in turn. Unsafe: one word with bad endings, in tuples."""
    words = "done", "sure", "well", "later", "no"
    safe = []
    for a, b in pairwise(words):
        safe += [[f"{a} {a} well sure", f"{b} {b}"], [f"{a} {a}", f"{b} {b} well sure"]]
        safe += [[f"{a} {a} well well", f"{b} {b} later"]]
    unsafe = [
        ("sure well no no", "later well"),
        ("sure no no no", "later no"),
        ("sure later no no", "later later"),
        ("sure sure no no", "later sure"),
    ]
    return {"safe": safe, "unsafe": unsafe}


# ---- 6d ------------------------------------------------------------------------------------


def copied_count(records):
    """How often two people both stood against most of the others; a numpy number."""
    return max(
        np.float32(both.all(0).sum()) for both in hidden_runs.dissents(hidden_runs.votes(records))
    )


def copied_loops(records):
    """Plain Python, no arrays: the same excess, comparison by comparison."""
    people = hidden_runs.by_person(records)
    names, best = sorted(people), float("-inf")
    for k, a in enumerate(names):
        for b in names[k + 1 :]:
            one = two = both = n = 0
            for c in people[a].keys() & people[b].keys():
                rest = [people[p][c] for p in names if p not in (a, b) and c in people[p]]
                first = 2 * rest.count(c[1]) - len(rest)
                if first:
                    most = c[1] if first > 0 else c[2]
                    x, y = people[a][c] != most, people[b][c] != most
                    one, two, both, n = one + x, two + y, both + (x and y), n + 1
            if n:
                best = max(best, both - one * two / n)
    return best


RIGHT = {
    "6a": (pair_by_pattern, pair_by_parts, pair_in_an_array),
    "6b": (groups_by_walk, groups_by_powers, groups_by_components, groups_by_roots),
    "6c": (balanced_tails,),
    "6d": (copied_count, copied_loops),
}
