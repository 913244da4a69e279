"""The parts of the DynamoDB store: its address, its calls, its table, and the form of its items and conditions."""
