"""The routes of other projects' interfaces, one module for each project."""
