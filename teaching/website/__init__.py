"""The web site of the course: `teaching/build_site.py` builds it, `teaching/site.md` says how."""
