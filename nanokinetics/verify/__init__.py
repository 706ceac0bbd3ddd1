"""Check a dataset against its tables: `verify` reports problems, `repair` removes them."""

from __future__ import annotations

from nanokinetics.verify.checks import verify
from nanokinetics.verify.repair import repair
from nanokinetics.verify.verdict import Problem, ProblemKind, Verdict, VerifyOptions

__all__ = ["Problem", "ProblemKind", "Verdict", "VerifyOptions", "repair", "verify"]
