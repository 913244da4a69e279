"""The parts of the DynamoDB store: its address, its calls, its table, its items and conditions."""
