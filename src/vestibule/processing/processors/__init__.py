"""The built-in processors, one per module; each module defines `PROCESSOR`."""
