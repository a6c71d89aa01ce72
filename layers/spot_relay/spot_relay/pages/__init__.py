"""Pages: plain documents in, self-contained HTML with inline SVG out. Pure, and the standard library only.

The client writes them to files; functions can answer with them. They contain no script and load nothing, and all their
text goes through `markup`, which escapes it.
"""
