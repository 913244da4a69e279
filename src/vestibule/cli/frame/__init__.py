"""What the commands are built on: nouns and their verbs, the way to a server, exit codes and completion."""
