"""The decisions of the policy: the port of their stores, the stores, and how a page is found."""
