"""Is a dataset what its tables say? `verify` looks, `repair` takes out what is not."""

from __future__ import annotations

from nanokinetics.verify.checks import verify
from nanokinetics.verify.repair import repair
from nanokinetics.verify.verdict import Kind, Look, Problem, Verdict

__all__ = ["Kind", "Look", "Problem", "Verdict", "repair", "verify"]
