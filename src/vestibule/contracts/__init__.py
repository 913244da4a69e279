"""What crosses a service wall: data and named errors, no behaviour."""
