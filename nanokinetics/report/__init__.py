"""Reports for people: the numbers of a dataset, as a table, a page, charts or JSON.

`tables` reads the tables, `summary` counts, and the other modules show the counts. No module here
writes into the dataset or takes its lock. This file imports nothing, so that the worker processes
for thumbnails start fast.
"""
