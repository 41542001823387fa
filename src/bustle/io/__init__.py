"""Images, volumes and videos from files to arrays and back."""
