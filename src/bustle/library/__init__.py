"""What `import bustle` offers: one typed function per thing that a person does with the toolkit."""
