"""Everything that is there only for speed. The numbers are those of the plain path.

Nothing outside this room may depend on it for what it computes.
"""
