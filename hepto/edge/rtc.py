"""The machine's real-time clock, which goes on while it is off (rtc(4)). It is set in UTC, as the kernel reads it.

The kernel copies its own time there only while NTP disciplines it (chrony's `rtcsync`).
"""

import fcntl
import os
import struct
import time

DEVICE = "/dev/rtc0"
RTC_SET_TIME = 0x4024700A
"""_IOW('p', 0x0a, struct rtc_time), include/uapi/linux/rtc.h."""
_RTC_TIME = struct.Struct("=9i")


def write(unix: float) -> None:
    """Set it to the whole second next to this Unix time. Raises OSError: there is none, or it is not ours to set."""
    descriptor = os.open(DEVICE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, RTC_SET_TIME, fields(unix))
    finally:
        os.close(descriptor)


def fields(unix: float) -> bytes:
    """struct rtc_time: that of C's struct tm, with weeks that begin on Sunday."""
    at = time.gmtime(round(unix))
    day = (at.tm_mday, at.tm_mon - 1, at.tm_year - 1900, (at.tm_wday + 1) % 7, at.tm_yday - 1)
    return _RTC_TIME.pack(at.tm_sec, at.tm_min, at.tm_hour, *day, 0)
