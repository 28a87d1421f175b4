"""``make bench``: aie beside the bare journal and its peers, on the same work, in one process tree."""
