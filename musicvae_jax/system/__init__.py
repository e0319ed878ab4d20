"""What any program needs: errors, files, locks, progress, memory, processes, devices."""
