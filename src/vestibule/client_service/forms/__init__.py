"""The use case of forms: read what a browser sends, hold it to the form's definition, screen and store it."""
