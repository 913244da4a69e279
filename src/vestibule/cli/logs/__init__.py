"""`vestibule logs`: reads and follows `app.log`."""
