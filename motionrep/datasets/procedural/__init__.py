"""Motion that is made up: random poses joined smoothly, steps, sitting, kneeling, lying, crawling."""
