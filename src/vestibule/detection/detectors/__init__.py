"""The detectors, one file each; `vestibule.detection` says how to write one."""
