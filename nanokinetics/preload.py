"""Imported first, and only, by the process that workers are forked from: see `pool.prepare`.

What that has imported they need not, which is most of what starting one takes.
"""

from __future__ import annotations

from . import pool
from .media import die_with_parent

__all__ = ["pool"]

# Workers end with the process they were forked from, so that has to end with its own parent, too.
die_with_parent()
