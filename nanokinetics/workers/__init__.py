"""Processes that run jobs; what a job means is no business of theirs."""
