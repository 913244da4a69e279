"""What is kept of decisions and can be shown of them: the decision log, receipts, and the replay of another policy."""
