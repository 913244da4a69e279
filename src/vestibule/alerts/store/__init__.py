"""The alert store that all processes of a host share: tables, grouping, triage, retention."""
