"""Regular expressions: what every match has, where one may begin, and whether one takes linear time."""
