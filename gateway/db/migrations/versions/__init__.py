"""The revisions, in the order of their file names."""
