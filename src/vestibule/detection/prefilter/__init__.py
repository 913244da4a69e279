"""Finds the rules worth trying on a text, and where: literals, start sets, and one pass of a multi-pattern engine."""
