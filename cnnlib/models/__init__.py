"""Model families, one file each, from a configuration table as in the paper."""
