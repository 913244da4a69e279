"""What pages show, made of what the API answers: without requests, templates or sessions."""
