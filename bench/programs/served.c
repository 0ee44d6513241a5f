/* The service that bench/supervision.py kills: says when it began, then waits for its end.
 *
 * The clock is read by the first statement, so what is measured ends where the program's own code begins. Static and
 * without an allocator: the loader's work is the supervisor's, not this program's.
 */
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NEWS "/run/bench-served" /* the same in trial.c */

int main(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t begun[2] = {getpid(), now.tv_sec * 1000000000LL + now.tv_nsec};
    mkfifo(NEWS, 0600); /* trial.c may be late */
    int news = open(NEWS, O_WRONLY | O_CLOEXEC);
    if (news < 0 || write(news, begun, sizeof begun) != sizeof begun)
        return 1;
    for (;;)
        pause();
}
