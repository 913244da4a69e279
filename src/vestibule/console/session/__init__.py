"""Sessions of people who are signed in: sealed cookies, and the protection of actions against other sites."""
