"""RDKit's Morgan algorithm in plain Python, on the graphs of `_core.ecfp_graphs`."""

from __future__ import annotations

import itertools
from typing import Any

Graph = tuple[list[int], list[list[tuple[int, int, int]]]]  # values; for each atom (neighbour, bond, type)


def unpack(graphs: Any, n: int, atoms: int) -> list[Graph]:
    """The graphs that one array of words holds (cpp/fingerprint/graphs.h)."""
    words = graphs.ravel().tolist()
    first_atom, first_end = words[: n + 1], words[n + 1 : n + atoms + 2]
    values, ends = words[n + atoms + 2 : n + 2 * atoms + 2], words[n + 2 * atoms + 2 :]
    found = []
    for begin, end in itertools.pairwise(first_atom):
        bonds = [
            [(w & 255, w >> 8 & 255, w >> 16) for w in ends[first_end[a] : first_end[a + 1]]] for a in range(begin, end)
        ]
        found.append((values[begin:end], bonds))
    return found


def mix(seed: int, value: int) -> int:
    return seed ^ ((value + 0x9E3779B9 + (seed << 6) + (seed >> 2)) & 0xFFFFFFFF)


def features(graph: Graph, radius: int) -> list[int]:
    """All features, each as often as it occurs."""
    values, bonds = graph
    found, seen = list(values), set()
    alive = {a for a, own in enumerate(bonds) if own}
    reach = [0] * len(values)  # sets of bonds
    for layer in range(radius):
        following, wider = [0] * len(values), list(reach)
        for a in alive:
            v = mix(layer, values[a])
            for kind, value in sorted((kind, values[b]) for b, _, kind in bonds[a]):
                v = mix(v, mix(mix(0, kind), value))
            following[a] = v
            for b, bond, _ in bonds[a]:
                wider[a] |= reach[b] | 1 << bond
        for neighbourhood, v, a in sorted((wider[a], following[a], a) for a in alive):
            if neighbourhood in seen:
                alive.discard(a)
            else:
                seen.add(neighbourhood)
                found.append(v)
        values, reach = following, wider
    return found
