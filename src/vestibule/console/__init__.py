"""The web console: a client of the public API for people, with the token of the person who is signed in."""
