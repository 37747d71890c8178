"""IRS2: correlated noise of NIRSpec removed with the reference pixels between the science pixels."""
