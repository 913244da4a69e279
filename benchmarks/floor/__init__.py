"""What the parts can do by themselves: no system of these parts can be faster."""
