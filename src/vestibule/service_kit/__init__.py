"""What every service is built from: app frame, settings, logging, tokens, problems, the way to its peers."""
