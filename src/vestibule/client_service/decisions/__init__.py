"""What becomes of decisions: recorded in a file, shipped to the database service, streamed live."""
