"""Rules in files of the operator, TOML beside own detectors: expressions matched by RE2 in linear time."""
