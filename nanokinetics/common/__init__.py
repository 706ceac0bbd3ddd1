"""What has no stage of its own: files, names, secrets, text, the system, extras."""
