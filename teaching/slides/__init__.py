"""Slides from the lessons: what `teaching/make_slides.py` cuts, fills with notes and writes."""
