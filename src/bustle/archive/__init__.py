"""Archives: manifests of up to millions of files, answered in parts on one machine or on many."""
