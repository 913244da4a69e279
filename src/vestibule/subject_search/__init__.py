"""Finds the value of a data subject in stored texts: the same value in any writing, and no other.

`search` decodes a text as the scanner does, looks for the value in each layer, opens tokens and compares fingerprints.
`pattern` says where the value stands as a whole. The client service and the database service use it.
"""

from vestibule.subject_search.search import Match, SubjectSearch, SubjectSearcher

__all__ = ["Match", "SubjectSearch", "SubjectSearcher"]
