"""The policy over HTTP: since when it is in force, drafts of it, and their replay against recorded decisions."""
