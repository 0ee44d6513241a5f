"""Installing a node on a disk, from the medium that the machine was started from: `hepto install`.

The medium (image/medium.py) has the layout of the disk and the partitions' content as files, so nothing of either is
known here: layout.py reads it and judges disks, settings.py makes the files of the ESP, driver.py writes.
"""
