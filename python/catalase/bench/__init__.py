"""`catalase bench`: the same work in Catalase and in whatever peers are installed, in one run, in turn.

One file a family. A family lists its cases, and has one plain function a library that prepares a case: it returns what
is to be timed, and what is to be compared before anything is timed.

At one thread all libraries live in one process and are timed call by call in turn. At two threads and more each has a
process of its own, and they take turns in blocks: the spinning threads of one library's pool would poison the figures of
the next.
"""

from __future__ import annotations

from .runner import FAMILIES, Row, run_bench

__all__ = ["FAMILIES", "Row", "run_bench"]
