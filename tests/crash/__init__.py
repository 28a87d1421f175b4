"""The crash harness: kills the real engine at every boundary, starts it again, and judges what then is on record."""
