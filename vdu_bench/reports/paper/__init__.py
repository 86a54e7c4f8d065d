"""The paper's table, beside what is published."""
