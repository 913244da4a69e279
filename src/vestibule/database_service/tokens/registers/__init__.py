"""The registers of tokens; each module offers a `REGISTER`."""
