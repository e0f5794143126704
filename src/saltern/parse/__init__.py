"""One file for each tool output, one public function ``parse`` in each. What is not understood raises."""
