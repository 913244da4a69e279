"""The frame of the pages: routes, rendering, assets, and errors as pages."""
