"""Grading: answers run in a sandbox and are judged outside of it. `teaching/grading.md` has the whole story."""
