"""`vestibule db`: checks, migrates, backs up and transfers the store."""
