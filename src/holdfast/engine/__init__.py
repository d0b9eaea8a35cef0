"""Motion: the loops that accept, send, settle and clean up."""
