"""Worker processes and the pool that hands them jobs. Nothing here knows what a job means."""
