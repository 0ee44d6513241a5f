/* Stands where stage 0 expects Python (/usr/bin/python3) in the baselines' roots, so that all roots have one stage 0. */
#include <unistd.h>

int main(void) {
    char *const argv[] = {"/sbin/init", NULL};
    execv(argv[0], argv);
    return 1;
}
