"""Pictures of numbers and labels: matplotlib axes in, matplotlib axes out."""
