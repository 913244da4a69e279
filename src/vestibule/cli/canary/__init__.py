"""`vestibule canary`: proves that nothing leaks, by sending what must not and searching everywhere that it could be."""
