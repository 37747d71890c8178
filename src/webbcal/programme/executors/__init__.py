"""Who does the work: this process, worker processes of this machine, or those of a Dask cluster."""
