"""The audit: every act of a person or script, each line chained to the one before."""
