"""Philox-4x32-10 in plain Python integers, one counter at a time."""

from __future__ import annotations


def philox4x32(counter, key, rounds=10):
    """Return the four words for a counter of four words and a key of two."""
    c, k = list(counter), list(key)
    for _ in range(rounds):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def word(element, seed, layer, step):
    """Return the random word of an element: element 64 g + 16 w + l is word w of counter 16 g + l."""
    group, rest = divmod(element, 64)
    which, lane = divmod(rest, 16)
    number = 16 * group + lane
    return philox4x32([number & 0xFFFFFFFF, number >> 32, layer, step], [seed & 0xFFFFFFFF, seed >> 32])[which]
