"""`catalase bench` does the same work in Catalase and in the peers that are installed, in one run and in turn.

Each family has one file. It lists its cases, and has one plain function for each library that prepares a case: it returns
the function to be timed, and the results to be compared before anything is timed.

At one thread all libraries run in one process and are timed call by call in turn. At two threads and more each library has
its own process, and they take turns in blocks, since the spinning threads of one library's pool would distort the figures
of the next.
"""

from __future__ import annotations

from .runner import FAMILIES, Row, run_bench

__all__ = ["FAMILIES", "Row", "run_bench"]
