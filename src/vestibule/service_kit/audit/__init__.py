"""Records acts of persons and scripts: which routes are acts, and how their records reach the database service."""
