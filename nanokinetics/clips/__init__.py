"""From bytes to a checked clip, in a worker process."""
