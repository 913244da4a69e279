"""The alert channels, one module each; each module defines `CHANNEL`."""
