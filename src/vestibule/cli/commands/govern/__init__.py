"""The commands for policy, tokens, decisions and the audit."""
