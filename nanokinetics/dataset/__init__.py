"""A dataset on disk: its folder, its tables, its `run.json`, and the indexes made from them."""
