"""System checks: values that are unsafe outside development stop the start with a clear line."""
