"""The report: one content, written as an HTML page and as a LaTeX folder, and run again by somebody else."""
