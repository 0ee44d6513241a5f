/* What bench/supervision.py and bench/orphans.py do to an init, whichever it is: nothing here knows one from another.
 *
 *     trial kills COUNT             SIGKILL to served.c's process, again and again; from the call to its next beginning
 *     trial orphans COUNT ROUNDS    COUNT processes without a parent end at once; until the last of them is reaped
 *
 * Without arguments they are taken from the kernel's command line: bench.trial=kills:50. Waits until the machine has
 * come to rest, keeps what it has measured until the end, and stays: its own end would be one death more. The lines on
 * the console: "trial WHAT NANOSECONDS" each, then "trial over".
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEWS "/run/bench-served" /* the same in served.c */
#define REST_SECONDS 20
#define MOST 4000
#define MILLISECOND 1000000LL
#define BETWEEN_KILLS (1200 * MILLISECOND) /* what was up for so long is started again at once (bench/inits.py) */
#define STEP (7 * MILLISECOND)             /* out of step with whatever does something once a second */
#define BETWEEN_ROUNDS (5000 * MILLISECOND)
#define LOOK (MILLISECOND / 2)
#define PATIENCE_MS 60000

static struct {
    const char *what;
    int64_t value;
} results[MOST];
static int count;

static void keep(const char *what, int64_t value) {
    if (count < MOST) {
        results[count].what = what;
        results[count++].value = value;
    }
}

static int64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void rest(int64_t nanoseconds) {
    struct timespec left = {nanoseconds / 1000000000LL, nanoseconds % 1000000000LL};
    nanosleep(&left, NULL);
}

/* The next process of served.c: its pid and when it began. */
static int hear(int news, int64_t begun[2]) {
    struct pollfd source = {.fd = news, .events = POLLIN};
    return poll(&source, 1, PATIENCE_MS) == 1 && read(news, begun, 2 * sizeof *begun) == 2 * sizeof *begun;
}

static void kills(int times) {
    mkfifo(NEWS, 0600);
    int news = open(NEWS, O_RDWR | O_CLOEXEC);
    int64_t served[2];
    int is_there = news >= 0 && hear(news, served);
    rest(REST_SECONDS * 1000 * MILLISECOND);
    while (is_there && times-- > 0) {
        rest(BETWEEN_KILLS + times * STEP);
        int64_t killed = now();
        kill((pid_t)served[0], SIGKILL);
        is_there = hear(news, served);
        keep(is_there ? "kill" : "lost", is_there ? served[1] - killed : 0);
    }
}

/* Nanoseconds that PID 1 has had a processor (proc(5), schedstat). */
static int64_t processor(void) {
    long long used = -1;
    FILE *file = fopen("/proc/1/schedstat", "re");
    if (file && fscanf(file, "%lld", &used) != 1)
        used = -1;
    if (file)
        fclose(file);
    return used;
}

static void round_of_orphans(int number) {
    size_t size = (size_t)number * sizeof(pid_t);
    volatile pid_t *orphans = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int gate[2], made = 0;
    char nothing;
    if (orphans == MAP_FAILED || pipe(gate) != 0)
        return;
    while (made < number) {
        pid_t parent = fork();
        if (parent < 0)
            break;
        if (parent == 0) {
            pid_t orphan = fork();
            if (orphan == 0) {
                close(gate[1]);
                _exit(read(gate[0], &nothing, 1) != 0);
            }
            orphans[made] = orphan;
            _exit(orphan < 0);
        }
        int status;
        if (waitpid(parent, &status, 0) != parent || status != 0)
            break;
        made++;
    }
    rest(BETWEEN_ROUNDS);
    int64_t used = processor(), began = now();
    keep("began", began);
    close(gate[1]);
    for (int one = 0; one < made; one++)
        while (kill(orphans[one], 0) == 0) /* a zombie still takes signals */
            rest(LOOK);
    keep(made == number ? "reaped" : "lost", now() - began);
    keep("processor", processor() - used);
    close(gate[0]);
    munmap((void *)orphans, size);
    rest(BETWEEN_ROUNDS);
}

static void from_command_line(char *what, int *first, int *second) {
    char line[4096] = "";
    FILE *file = fopen("/proc/cmdline", "re");
    if (file && fgets(line, sizeof line, file)) {
        char *found = strstr(line, "bench.trial=");
        if (found)
            sscanf(found, "bench.trial=%15[a-z]:%d:%d", what, first, second);
    }
    if (file)
        fclose(file);
}

int main(int arguments, char **words) {
    char what[16] = "";
    int first = 0, second = 1;
    if (arguments > 2) {
        strncpy(what, words[1], sizeof what - 1);
        first = atoi(words[2]);
        second = arguments > 3 ? atoi(words[3]) : 1;
    } else
        from_command_line(what, &first, &second);
    if (strcmp(what, "kills") == 0)
        kills(first);
    if (strcmp(what, "orphans") == 0) {
        rest(REST_SECONDS * 1000 * MILLISECOND);
        while (second-- > 0)
            round_of_orphans(first);
    }
    int console = open("/dev/console", O_WRONLY | O_NOCTTY);
    for (int one = 0; one < count; one++)
        dprintf(console, "trial %s %lld\n", results[one].what, (long long)results[one].value);
    dprintf(console, "trial over\n");
    for (;;)
        pause();
}
