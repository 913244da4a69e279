"""The front door: who may come in, what is let in, and where it goes."""
