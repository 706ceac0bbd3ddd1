"""Candidates to clips: which are chosen, and the plan of a folder."""
