"""The prefilter: selects the rules worth trying on a text, by one pass of a multi-pattern engine."""
