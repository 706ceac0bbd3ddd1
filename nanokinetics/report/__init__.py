"""What a person looks at: the numbers of a dataset, as a table, a page, charts or JSON.

`tables` reads, `summary` counts, and the others show what it counted. Nothing here writes into the
dataset or takes its lock. Empty, so that the workers which make thumbnails start fast.
"""
