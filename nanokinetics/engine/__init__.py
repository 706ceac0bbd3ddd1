"""One run of one plan: who is asked next, and what each outcome means."""
