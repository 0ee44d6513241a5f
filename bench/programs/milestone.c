/* The end of a baseline's boot in bench/boot.py: waits for the milestone, binds the socket, prints the line, stays.
 *
 * Waits without polling: netlink for links, addresses and routes, POLLPRI on mountinfo for the data disk. Turns every
 * link on that it sees (what the hepto agent does too; a daemon that did it before leaves nothing to do). Static and
 * without an allocator, so that it costs the baselines as little as a C program can.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GOSSIP_PORT 7946
#define DATA " /var/lib/hepto "
#define TENTATIVE_OR_FAILED 0x48 /* IFA_F_TENTATIVE | IFA_F_DADFAILED, linux/if_addr.h */
#define GATEWAY 0x0002           /* RTF_GATEWAY, linux/route.h */

static void turn_links_on(int control) {
    struct if_nameindex *links = if_nameindex();
    for (struct if_nameindex *link = links; link && link->if_index; link++) {
        struct ifreq request = {0};
        strncpy(request.ifr_name, link->if_name, IFNAMSIZ - 1);
        if (ioctl(control, SIOCGIFFLAGS, &request) == 0 && !(request.ifr_flags & IFF_UP)) {
            request.ifr_flags |= IFF_UP;
            ioctl(control, SIOCSIFFLAGS, &request);
        }
    }
    if_freenameindex(links);
}

static int has_line(const char *path, int (*fits)(const char *)) {
    char line[512];
    int found = 0;
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file))
        found = fits(line);
    if (file)
        fclose(file);
    return found;
}

static int is_address(const char *line) {
    unsigned scope, flags;
    return sscanf(line, "%*32s %*x %*x %x %x", &scope, &flags) == 2 && scope == 0 && !(flags & TENTATIVE_OR_FAILED);
}

static int is_default_route(const char *line) {
    unsigned length, flags;
    return sscanf(line, "%*32s %x %*32s %*x %*32s %*x %*x %*x %x", &length, &flags) == 2 && length == 0 && (flags & GATEWAY);
}

static int is_data(const char *line) {
    return strstr(line, DATA) != NULL;
}

int main(void) {
    struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE};
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(GOSSIP_PORT)};
    int news = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    int control = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    struct pollfd sources[] = {{.fd = news, .events = POLLIN}, {.fd = mounts, .events = POLLPRI}};
    char waste[8192];

    bind(news, (struct sockaddr *)&groups, sizeof groups);
    for (;;) {
        turn_links_on(control);
        if (has_line("/proc/net/if_inet6", is_address) && has_line("/proc/net/ipv6_route", is_default_route) &&
            has_line("/proc/self/mountinfo", is_data))
            break;
        poll(sources, 2, -1);
        while (recv(news, waste, sizeof waste, 0) > 0)
            ;
    }
    if (bind(control, (struct sockaddr *)&any, sizeof any) != 0)
        return 1;

    double idle = 0;
    struct timespec now;
    FILE *uptime = fopen("/proc/uptime", "re");
    if (uptime && fscanf(uptime, "%*f %lf", &idle) != 1)
        return 1;
    clock_gettime(CLOCK_BOOTTIME, &now);
    int console = open("/dev/console", O_WRONLY | O_NOCTTY);
    dprintf(console, "milestone up=%ld.%03ld idle=%.2f\n", (long)now.tv_sec, now.tv_nsec / 1000000, idle);
    for (;;)
        pause();
}
