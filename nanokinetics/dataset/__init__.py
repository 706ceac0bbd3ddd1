"""A dataset on disk: its place, its tables, its record, and what is derived from them."""
