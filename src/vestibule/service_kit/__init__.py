"""The parts that every service is built from: application, settings, logging, authentication, problems, metrics."""
